/** What the server says it took, in milliseconds. */
export interface Took {
  readonly embed: number;
  readonly search: number;
  readonly fetch: number;
  readonly total: number;
}

/** The whole way of one answer, from the question to the picture on the screen. */
export interface Timing {
  readonly took: Took;
  /** From sending the question to having read the answer, ms. */
  readonly roundTripMs: number;
  /** From having read the answer to the frame that shows it, ms; null until that frame. */
  readonly paintMs: number | null;
}

export interface Part {
  readonly name: 'embed' | 'search' | 'fetch' | 'network' | 'paint';
  readonly says: string;
  readonly ms: number;
}

/** The way in parts that add up to `wholeMs`; what lies between page and search counts as network. */
export function partsOf({ took, roundTripMs, paintMs }: Timing): Part[] {
  const inSearch = took.embed + took.search + took.fetch;
  return [
    { name: 'embed', says: 'words to vector', ms: took.embed },
    { name: 'search', says: 'find the nearest pictures', ms: took.search },
    { name: 'fetch', says: 'gather previews', ms: took.fetch },
    { name: 'network', says: 'ask and answer', ms: Math.max(0, roundTripMs - inSearch) },
    { name: 'paint', says: 'onto the screen', ms: paintMs ?? 0 },
  ];
}

/** From the question to the picture on the screen, ms. */
export function wholeMs(timing: Timing): number {
  return partsOf(timing).reduce((total, part) => total + part.ms, 0);
}
