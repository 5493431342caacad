import { readFileSync } from "node:fs";
import { join } from "node:path";
import vue from "@vitejs/plugin-vue";
import { defineConfig, type ProxyOptions } from "vite";

/**
 * While developing, the page comes from Vite and the calls go to a running program: `COBOX_DEV_HOME` is its home folder.
 * The program answers nobody but itself and its own page, so the proxy calls as a program of ours does.
 */
function toProgram(): Record<string, ProxyOptions> {
  const home = process.env.COBOX_DEV_HOME;
  if (!home) return {};
  const { port } = JSON.parse(readFileSync(join(home, "run"), "utf8")) as { port: number };
  const token = readFileSync(join(home, "token"), "utf8").trim();
  return {
    "/api": {
      target: `http://127.0.0.1:${port}`,
      ws: true,
      changeOrigin: true,
      headers: { authorization: `Bearer ${token}`, origin: `http://127.0.0.1:${port}` },
    },
  };
}

export default defineConfig({
  plugins: [vue()],
  resolve: { alias: { "@": new URL("./src", import.meta.url).pathname } },
  server: { host: "127.0.0.1", proxy: toProgram() },
  preview: { host: "127.0.0.1", proxy: toProgram() },
  build: {
    target: "es2022",
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    // Nothing inside of other files: the policy of the page allows what is served, and bytes are the same in every build.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  test: { include: ["src/**/*.test.ts"], setupFiles: ["scripts/test-browser.js"] },
} as Parameters<typeof defineConfig>[0]);
