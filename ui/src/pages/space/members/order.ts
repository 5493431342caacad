/** Members as they are shown: ourselves, who is there, the rest by name; apart those who have not come yet or have left. */
import type { Schemas } from "@/api/client";
import { collator } from "@/lib/i18n";

type Member = Schemas["MemberJson"];

export function ordered(members: readonly Member[]): { joined: Member[]; invited: Member[]; left: Member[] } {
  const rank = (member: Member) => (member.me ? 0 : member.online ? 1 : 2);
  // Whoever has no name yet comes last.
  const name = (member: Member) => member.name || `\uffff${member.publicKey}`;
  const all = [...members].sort((a, b) => rank(a) - rank(b) || collator.value.compare(name(a), name(b)) || (a.publicKey < b.publicKey ? -1 : 1));
  const of = (standing: string) => all.filter((member) => member.standing === standing);
  return { joined: of("joined"), invited: of("invited"), left: of("left") };
}
