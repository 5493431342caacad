/** The messages of a space: the newest at first, earlier ones page by page, new ones as they come. */
import { onScopeDispose, ref, shallowRef, watch, type Ref } from "vue";
import { ApiError, api } from "@/api/client";
import { useEvents, useLive } from "@/api/live";
import { failed } from "@/lib/toast";
import { merged, renewed, type Message } from "./timeline";

const PAGE = 60;

export function useMessages(address: Ref<string>) {
  const messages = shallowRef<Message[]>();
  const hasMore = ref(false);
  const busy = ref(false);

  const newest = useLive(
    async (signal) => {
      const page = await api.get("/api/spaces/{space}/messages", { path: { space: address.value }, query: { limit: PAGE }, signal });
      const { messages: all, gap } = renewed(messages.value ?? [], page, PAGE);
      if (gap || messages.value === undefined) hasMore.value = page.length >= PAGE;
      messages.value = all;
      return page.length;
    },
    { space: () => address.value, on: ["peer/about"], watch: address },
  );
  watch(address, () => ([messages.value, hasMore.value] = [undefined, false]), { flush: "sync" });

  useEvents((event) => {
    if (event.type === "message" && event.address === address.value) add(event.data as Message);
  });

  function add(message: Message): void {
    if (messages.value) messages.value = merged(messages.value, [message]);
    else void newest.reload(); // the answer that is on its way may not have it
  }

  const ended = new AbortController();
  onScopeDispose(() => ended.abort());

  /** One page further back. */
  async function earlier(): Promise<void> {
    const oldest = messages.value?.[0];
    if (!oldest || busy.value || !hasMore.value) return;
    busy.value = true;
    try {
      // Several may have been said in the same millisecond as the oldest that is here.
      const until = new Date(Date.parse(oldest.time) + 1).toISOString();
      const page = await api.get("/api/spaces/{space}/messages", { path: { space: address.value }, query: { until, limit: PAGE }, signal: ended.signal });
      const all = merged(page, messages.value ?? []);
      hasMore.value = page.length >= PAGE && all.length > (messages.value?.length ?? 0);
      messages.value = all;
    } catch (error) {
      if (!(error instanceof ApiError)) return;
      failed(error);
    } finally {
      busy.value = false;
    }
  }

  return { newest, messages, hasMore, busy, earlier, add };
}
