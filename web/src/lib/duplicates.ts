import type { Picture } from './api';

/** Near-duplicates that are expanded, by the id of the picture they are grouped under. */
export type ExpandedGroups = ReadonlyMap<number, readonly Picture[]>;

/** Results with the expanded near-duplicates inserted after the picture they are grouped under. */
export interface ExpandedResults {
  readonly pictures: readonly Picture[];
  /** Number of leading pictures that are relevant; null if all are. */
  readonly relevantCount: number | null;
  /** Id of the group's picture for each inserted near-duplicate. */
  readonly groupOf: ReadonlyMap<number, number>;
}

/** Insert expanded near-duplicates into the ranking; one that is in the ranking itself is not repeated. */
export function withDuplicates(
  ranking: readonly Picture[],
  relevantCount: number | null,
  groups: ExpandedGroups,
): ExpandedResults {
  if (groups.size === 0) return { pictures: ranking, relevantCount, groupOf: new Map() };
  const present = new Set(ranking.map(({ id }) => id));
  const groupOf = new Map<number, number>();
  const pictures: Picture[] = [];
  let weakIndex = relevantCount;
  for (const [rank, picture] of ranking.entries()) {
    pictures.push(picture);
    for (const member of groups.get(picture.id) ?? []) {
      if (present.has(member.id)) continue;
      present.add(member.id);
      groupOf.set(member.id, picture.id);
      pictures.push(member);
      if (weakIndex !== null && rank < relevantCount!) weakIndex += 1;
    }
  }
  return { pictures, relevantCount: weakIndex, groupOf };
}

/** Set the members of a group, or collapse it if `members` is null. */
export function withGroup(
  groups: ExpandedGroups,
  id: number,
  members: readonly Picture[] | null,
): ExpandedGroups {
  const next = new Map(groups);
  if (members) next.set(id, members);
  else next.delete(id);
  return next;
}

/** Return near-duplicates with the scores that came with the picture they are grouped under. */
export function withScores(members: readonly Picture[], head: Picture): Picture[] {
  return members.map((member) => {
    return { ...member, score: head.similarScores[head.similar.indexOf(member.id)] ?? null };
  });
}

/** Drop repeated pictures: a library that changes between two pages can return one twice. */
export function withoutRepeats(pictures: readonly Picture[]): readonly Picture[] {
  return [...new Map(pictures.map((picture) => [picture.id, picture])).values()];
}
