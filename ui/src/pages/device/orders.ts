/** Commands from the parts of a device's page: given, answered in words, and the page asked again. */
import { inject, type InjectionKey, type Ref } from "vue";
import { ApiError, type Schemas } from "@/api/client";
import { tell, type Told } from "@/api/devices";
import { done, failed } from "@/lib/toast";
import { t } from "@/texts/device";

export type DeviceDetail = Schemas["DeviceDetailJson"];
type Order = Schemas["CommandRequest"];

export interface Orders {
  /** Gives a command and says what became of it; `words` if it was done. Throws what the program refuses at once. */
  give(order: Order, words?: string): Promise<Told>;
  /** The same where anything but "done" or "later" is a failure, told at a field. */
  must(order: Order): Promise<void>;
  /** The same where nobody waits for an answer: failures become notices. */
  quietly(order: Order): Promise<void>;
  /** after something else has changed the device */
  reload(): Promise<void>;
}

export const DEVICE: InjectionKey<Orders> = Symbol("device");

export function useOrders(address: Ref<string>, reload: () => Promise<void>): Orders {
  async function give(order: Order, words = t("done")): Promise<Told> {
    const told = await tell(address.value, order);
    if (told.state === "done") done(words);
    else if (told.state === "waiting") done(t("later"));
    else failed(new Error(t("refused", { words: told.words })));
    void reload();
    return told;
  }

  async function must(order: Order): Promise<void> {
    const { state, words } = await tell(address.value, order);
    void reload();
    if (state === "refused" || state === "failed") throw new Error(t("refused", { words }));
    done(t(state === "done" ? "done" : "later"));
  }

  async function quietly(order: Order): Promise<void> {
    try {
      await tell(address.value, order);
      await reload();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // A page that asks by itself does not complain when nobody answers.
      if (!error.isAway) failed(error);
    }
  }

  return { give, must, quietly, reload };
}

export function useDeviceOrders(): Orders {
  return inject(DEVICE)!;
}
