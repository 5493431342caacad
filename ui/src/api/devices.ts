/** Our devices, with the device key by which others' receipts name them; commands to them. */
import { ApiError, api, type Schemas } from "./client";
import { useLive, type Live, type LiveEvent } from "./live";

export type Machine = Schemas["DeviceJson"] & {
  /** what it was told to keep */
  replicates: Schemas["DeviceReplicaJson"][];
};

/** Something may have changed about a device. */
export function isAboutDevices(event: LiveEvent): boolean {
  return event.type.startsWith("device/") || ["peer/connection", "peer/about", "space/about", "space/message", "member/presence"].includes(event.type);
}

export function useMachines(): Live<Machine[]> {
  return useLive(machines, { on: isAboutDevices, every: 30_000 });
}

async function machines(signal: AbortSignal): Promise<Machine[]> {
  const devices = await api.get("/api/devices", { signal });
  const all = await Promise.all(devices.map((device) => machine(device, signal)));
  return all.sort((a, b) => a.name.localeCompare(b.name));
}

async function machine(device: Schemas["DeviceJson"], signal: AbortSignal): Promise<Machine> {
  try {
    const { replicates } = await api.get("/api/devices/{device}", { path: { device: device.address }, signal });
    return { ...device, replicates };
  } catch (error) {
    // One that was left in this moment, or has not told of itself yet.
    if (error instanceof ApiError && !error.isAway) return { ...device, replicates: [] };
    throw error;
  }
}

/** Devices that announce themselves: heard every few seconds. */
export function useSeen(): Live<Schemas["SeenDeviceJson"][]> {
  return useLive((signal) => api.get("/api/devices/seen", { signal }), {
    on: (event) => event.type === "device/seen" || event.type === "device/gone",
    every: 3000,
  });
}

/** How long the page waits for a device's answer, in milliseconds; the command is stored anyway. */
const WAIT = 8000;

export type Told = Schemas["CommandJson"];

/** Tells a device to do something. Answers what became of it: done, or waiting until the device hears of it. */
export function tell(device: string, body: Schemas["CommandRequest"]): Promise<Told> {
  return api.post("/api/devices/{device}/commands", { path: { device }, body: { wait: WAIT, ...body } });
}
