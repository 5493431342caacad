/** Starts the page. */
import { createApp } from "vue";
import { begin } from "./api/session";
import { startLive } from "./api/live";
import App from "./App.vue";
import { failed } from "./lib/toast";
import { router } from "./router";
import "./styles/base.css";

const app = createApp(App);
// Whatever nobody caught is still told: a page that does nothing without a word helps nobody.
app.config.errorHandler = (error) => {
  console.error(error);
  failed(error);
};
app.use(router);
startLive();
void begin();
app.mount("#app");
