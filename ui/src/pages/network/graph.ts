/** Who and what is there, and what they have in common: from what the program knows, for picture and table alike. Pure. */
import type { Schemas } from "@/api/client";
import type { Machine } from "@/api/devices";
import type { Overview } from "@/api/spaces";
import { collator } from "@/lib/i18n";

export type Kind = "me" | "space" | "person" | "device" | "peer";

export interface Node {
  id: string;
  kind: Kind;
  /** colour and name come from it */
  key: string;
  /** empty if it has none that is known */
  name: string;
  online: boolean;
  /** RFC 3339 */
  lastSeenAt?: string;
  /** where it leads: address of a space or device */
  address?: string;
  /** ids of the spaces that it has */
  spaces: string[];
  /** its connections to us */
  peers: Schemas["PeerJson"][];
}

export interface Edge {
  from: string;
  to: string;
  /** both meet there now */
  live: boolean;
}

export interface Graph {
  nodes: Node[];
  edges: Edge[];
}

type Status = Pick<Schemas["StatusJson"], "name" | "publicKey" | "peers">;

export function graph(status: Status, spaces: readonly Overview[], machines: readonly Machine[]): Graph {
  const all = new Map<string, Node>();
  const owner = new Map<string, string>();
  const add = (node: Node): Node => {
    const known = all.get(node.id) ?? node;
    all.set(node.id, known);
    return known;
  };

  const me = add({ id: "me", kind: "me", key: status.publicKey, name: status.name, online: true, spaces: [], peers: [] });
  for (const { space } of spaces) {
    add({ id: space.address, kind: "space", key: space.address, name: space.name, online: true, address: space.address, spaces: [], peers: [] });
    me.spaces.push(space.address);
  }
  for (const machine of machines) {
    const { address, publicKey, name, online, lastSeenAt } = machine;
    add({ id: `device ${address}`, kind: "device", key: publicKey, name, online, lastSeenAt: lastSeenAt ?? undefined, address, spaces: [], peers: [] });
    if (machine.peerId) owner.set(machine.peerId, `device ${address}`);
  }
  for (const { space, members } of spaces) for (const member of members) person(member, space.address);
  for (const { space, health } of spaces) for (const copy of health?.copies ?? []) device(copy, space.address);
  for (const peer of status.peers) connected(peer);

  function person(member: Schemas["MemberJson"], space: string): void {
    for (const { peerId } of member.devices) owner.set(peerId, member.me ? "me" : `person ${member.publicKey}`);
    if (member.me) return;
    const { publicKey: key, name, online, lastSeenAt } = member;
    const node = add({ id: `person ${key}`, kind: "person", key, name, online, lastSeenAt: lastSeenAt ?? undefined, spaces: [], peers: [] });
    node.online ||= online;
    if (lastSeenAt && (!node.lastSeenAt || Date.parse(lastSeenAt) > Date.parse(node.lastSeenAt))) node.lastSeenAt = lastSeenAt;
    has(node, space);
  }

  function device(copy: Schemas["CopyJson"], space: string): void {
    const { peerId: key, online, lastSyncAt } = copy;
    const id = owner.get(key) ?? `device ${key}`;
    owner.set(key, id);
    has(all.get(id) ?? add({ id, kind: "device", key, name: "", online, lastSeenAt: lastSyncAt ?? undefined, spaces: [], peers: [] }), space);
  }

  function connected(peer: Schemas["PeerJson"]): void {
    const id = owner.get(peer.peerId);
    // Whoever was here once and is not known by any space is of no interest any more.
    if (id === "me" || (!id && !peer.online)) return;
    const fresh = (): Node => ({ id: `peer ${peer.peerId}`, kind: "peer", key: peer.peerId, name: "", online: true, spaces: [], peers: [] });
    const node = (id && all.get(id)) || add(fresh());
    node.peers.push(peer);
    node.online ||= peer.online;
    for (const space of peer.spaces) if (all.has(space)) has(node, space);
  }

  function has(node: Node, space: string): void {
    if (!node.spaces.includes(space)) node.spaces.push(space);
  }

  const nodes = [...all.values()].sort(byKindThenName);
  return { nodes, edges: nodes.flatMap(edges) };
}

/** To the spaces it has; what has none of ours is at least connected to us, or obeys us. */
function edges(node: Node): Edge[] {
  if (node.kind !== "me" && node.kind !== "space" && node.spaces.length === 0) return [{ from: node.id, to: "me", live: node.online }];
  const meets = new Set(node.peers.filter((peer) => peer.online).flatMap((peer) => peer.spaces));
  return node.spaces.map((space) => ({ from: node.id, to: space, live: node.kind === "me" || meets.has(space) }));
}

const ORDER: Kind[] = ["me", "space", "person", "device", "peer"];

function byKindThenName(a: Node, b: Node): number {
  const kind = ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind);
  return kind || collator.value.compare(a.name || `\uffff${a.key}`, b.name || `\uffff${b.key}`) || (a.id < b.id ? -1 : 1);
}

/** What a thing touches: itself, and what it shares a line with. */
export function touched(graph: Graph, id: string): Set<string> {
  const ends = graph.edges.filter((edge) => edge.from === id || edge.to === id).flatMap((edge) => [edge.from, edge.to]);
  return new Set([id, ...ends]);
}
