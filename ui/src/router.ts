/** Addresses of the page. The program answers each of them with the page itself. */
import { createRouter, createWebHistory, type RouteRecordRaw } from "vue-router";
import { nextTick } from "vue";
import Dashboard from "./pages/Dashboard.vue";

const routes: RouteRecordRaw[] = [
  { path: "/", name: "home", component: Dashboard },
  {
    path: "/spaces/:space",
    component: () => import("./pages/space/Space.vue"),
    children: [
      { path: "", name: "files", component: () => import("./pages/space/Files.vue") },
      { path: "history", name: "history", component: () => import("./pages/space/History.vue") },
      { path: "conflicts", name: "conflicts", component: () => import("./pages/space/Conflicts.vue") },
      { path: "members", name: "members", component: () => import("./pages/space/Members.vue") },
      { path: "messages", name: "messages", component: () => import("./pages/space/Messages.vue") },
      { path: "health", name: "space-health", component: () => import("./pages/space/SpaceHealth.vue") },
      { path: "settings", name: "space-settings", component: () => import("./pages/space/SpaceSettings.vue") },
    ],
  },
  { path: "/health", name: "health", component: () => import("./pages/Health.vue") },
  { path: "/devices", name: "devices", component: () => import("./pages/Devices.vue") },
  { path: "/devices/:device", name: "device", component: () => import("./pages/Device.vue") },
  { path: "/network", name: "network", component: () => import("./pages/Network.vue") },
  { path: "/profile", name: "profile", component: () => import("./pages/Profile.vue") },
  { path: "/settings", name: "settings", component: () => import("./pages/Settings.vue") },
  { path: "/about", name: "about", component: () => import("./pages/About.vue") },
  { path: "/restore", name: "restore", component: () => import("./pages/Restore.vue"), meta: { beforeName: true } },
  { path: "/:anything(.*)*", name: "missing", component: () => import("./pages/Missing.vue") },
];

export const router = createRouter({
  history: createWebHistory(),
  routes,
  // A part of a page that is named in the address comes into sight, below what covers the top of a phone.
  scrollBehavior: (to, from, saved) => saved ?? (to.path === from.path ? false : to.hash ? { el: to.hash, top: 80 } : { top: 0 }),
});

/** After going to another page, the next key press is about that page: its heading has the focus, and is read out. */
router.afterEach(async (to, from) => {
  if (from.matched.length === 0 || to.path === from.path) return;
  const isTab = to.matched[0] === from.matched[0] && to.matched.length > 1 && to.params.space === from.params.space;
  if (isTab) return;
  await nextTick();
  document.querySelector<HTMLElement>("main h1")?.focus({ preventScroll: true });
});
