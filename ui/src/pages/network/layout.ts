/**
 * Where everything is in the picture: we in the middle, our spaces around us, people and devices outside, near the spaces they
 * have. Computed, not simulated: the same things are always at the same places, and nothing trembles. Pure.
 */
import type { Graph, Node } from "./graph";

export interface Place {
  x: number;
  y: number;
}

export interface Layout {
  width: number;
  height: number;
  places: Map<string, Place>;
}

/** Room that a thing with its name needs, in pixels. */
const WIDE = 104;
const HIGH = 74;
/** How far out the spaces are, of the way to the outer ring. */
const INNER = 0.54;
const TURN = 2 * Math.PI;
/** The first is at the top. */
const START = -TURN / 4;

export function layout(graph: Graph, width: number): Layout {
  const inner = graph.nodes.filter((node) => node.kind === "space");
  const outer = graph.nodes.filter((node) => node.kind !== "space" && node.kind !== "me");
  const reach = width / 2 - WIDE / 2;
  // Names beside each other need room: what the ring lacks in width it gets in height.
  const tall = Math.max(radius(outer.length, reach), radius(inner.length, reach * INNER) / INNER, 220);
  const height = Math.round(2 * tall + HIGH + 24);
  const middle = { x: width / 2, y: height / 2 - 8 };

  const places = new Map<string, Place>([["me", middle]]);
  const angles = new Map(inner.map((node, at) => [node.id, START + (at * TURN) / inner.length]));
  const put = (id: string, angle: number, part: number) =>
    places.set(id, { x: middle.x + Math.cos(angle) * reach * part, y: middle.y + Math.sin(angle) * tall * part });
  for (const [id, angle] of angles) put(id, angle, INNER);
  for (const [id, angle] of around(outer, angles)) put(id, angle, 1);
  return { width, height, places };
}

/** Height (half) of an ellipse of this width (half) on whose edge so many things have room. */
function radius(count: number, reach: number): number {
  const needed = (count * (WIDE + HIGH)) / 2 / TURN;
  return Math.max(reach * 0.55, 2 * needed - reach);
}

/** Evenly round the ring, in the order in which their spaces come, turned so that each is as near to them as can be. */
export function around(nodes: readonly Node[], spaces: ReadonlyMap<string, number>): Map<string, number> {
  const wanted = nodes.map((node, at) => {
    const angles = node.spaces.map((space) => spaces.get(space)).filter((angle) => angle !== undefined);
    return { id: node.id, angle: angles.length ? mean(angles) : (at * TURN) / nodes.length };
  });
  wanted.sort((a, b) => turned(a.angle) - turned(b.angle));
  const step = TURN / Math.max(1, wanted.length);
  const shift = mean(wanted.map(({ angle }, at) => angle - at * step));
  return new Map(wanted.map(({ id }, at) => [id, shift + at * step]));
}

/** From the top, clockwise. */
function turned(angle: number): number {
  return (((angle - START) % TURN) + TURN) % TURN;
}

/** The middle of directions: of 350 and 10 degrees it is 0, not 180. Directions that cancel each other out: the first. */
export function mean(angles: readonly number[]): number {
  const [x, y] = [angles.reduce((sum, angle) => sum + Math.cos(angle), 0), angles.reduce((sum, angle) => sum + Math.sin(angle), 0)];
  return Math.hypot(x, y) < 1e-6 ? (angles[0] ?? 0) : Math.atan2(y, x);
}

/** A name that fits below its dot: cut between what people see as letters. */
export function fitted(name: string, most: number): string {
  const letters = [...new Intl.Segmenter().segment(name)].map((part) => part.segment);
  return letters.length > most ? `${letters.slice(0, most - 1).join("")}…` : name;
}
