/**
 * A slot for each id, in the order of `ids`: one that had a slot keeps it, the others take the lowest that are
 * free. So a tile that shows the same picture as before stays as it is, and the others are used again.
 */
export function slotsFor(before: ReadonlyMap<number, number>, ids: readonly number[]): Map<number, number> {
  const kept = new Set(ids.flatMap((id) => before.get(id) ?? []));
  let next = 0;
  const free = () => {
    while (kept.has(next)) next += 1;
    return next++;
  };
  return new Map(ids.map((id) => [id, before.get(id) ?? free()]));
}
