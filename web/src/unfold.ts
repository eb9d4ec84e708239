import type { Picture } from './api';

/** Near-duplicates that are shown beside the picture they were folded under, by its id. */
export type Unfolded = ReadonlyMap<number, readonly Picture[]>;

/** A ranking with unfolded pictures behind the ones they were folded under. */
export interface Spread {
  readonly pictures: readonly Picture[];
  /** Place where weak matches begin; null where none does. */
  readonly weakFrom: number | null;
  /** Under which picture each of the unfolded stands, by its id. */
  readonly heads: ReadonlyMap<number, number>;
}

/** Puts the unfolded pictures in their places; one that is in the ranking itself stays where it is. */
export function spread(ranked: readonly Picture[], weakFrom: number | null, unfolded: Unfolded): Spread {
  if (unfolded.size === 0) return { pictures: ranked, weakFrom, heads: new Map() };
  const present = new Set(ranked.map(({ id }) => id));
  const heads = new Map<number, number>();
  const pictures: Picture[] = [];
  let weakAt = weakFrom;
  for (const [place, picture] of ranked.entries()) {
    pictures.push(picture);
    for (const other of unfolded.get(picture.id) ?? []) {
      if (present.has(other.id)) continue;
      present.add(other.id);
      heads.set(other.id, picture.id);
      pictures.push(other);
      if (weakAt !== null && place < weakFrom!) weakAt += 1;
    }
  }
  return { pictures, weakFrom: weakAt, heads };
}

/** Without the group of this picture, or with it. */
export function withGroup(unfolded: Unfolded, id: number, group: readonly Picture[] | null): Unfolded {
  const next = new Map(unfolded);
  if (group) next.set(id, group);
  else next.delete(id);
  return next;
}
