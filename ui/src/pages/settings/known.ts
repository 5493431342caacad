/** How each setting is asked for. The program says which there are; one that is not known here is shown by its name. */
import type { t } from "@/texts/settings";

type Key = Parameters<typeof t>[0];

export interface Known {
  group: "lan" | "here" | "others" | "log";
  kind: "switch" | "number" | "text" | "choice";
  label: Key;
  hint: Key;
  placeholder?: string;
  /** of a choice: value and words */
  choices?: { value: string; label: Key }[];
}

export const KNOWN: Record<string, Known> = {
  lan: { group: "lan", kind: "switch", label: "lan", hint: "lanHint" },
  bind: { group: "lan", kind: "text", label: "bind", hint: "bindHint", placeholder: "0.0.0.0:4711" },
  port: { group: "here", kind: "number", label: "port", hint: "portHint" },
  socket: { group: "here", kind: "text", label: "socket", hint: "socketHint", placeholder: "/run/user/1000/cobox.sock" },
  listen: { group: "others", kind: "text", label: "listen", hint: "listenHint", placeholder: "192.0.2.7:9443" },
  "tls-cert": { group: "others", kind: "text", label: "cert", hint: "certHint", placeholder: "cert.pem" },
  "tls-key": { group: "others", kind: "text", label: "certKey", hint: "certKeyHint", placeholder: "key.pem" },
  hosts: { group: "others", kind: "text", label: "hosts", hint: "hostsHint", placeholder: "box.example" },
  log: {
    group: "log",
    kind: "choice",
    label: "log",
    hint: "logHint",
    choices: [
      { value: "", label: "logWarn" },
      { value: "info", label: "logInfo" },
      { value: "debug", label: "logDebug" },
    ],
  },
};

interface Group {
  name: Known["group"] | "more";
  title: Key;
  hint?: Key;
}

export const GROUPS: Group[] = [
  { name: "lan", title: "groupLan" },
  { name: "here", title: "groupHere" },
  { name: "others", title: "groupOthers", hint: "groupOthersHint" },
  { name: "log", title: "groupLog" },
  { name: "more", title: "groupMore" },
];
