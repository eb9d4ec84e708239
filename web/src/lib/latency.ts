/** Durations measured by the server, in milliseconds. */
export interface ServerTimings {
  readonly embed: number;
  readonly search: number;
  readonly fetch: number;
  readonly total: number;
}

/** Latency of one answer, from sending the request to the frame that shows the pictures. */
export interface Latency {
  readonly server: ServerTimings;
  /** From sending the request to having parsed the response, ms. */
  readonly roundTripMs: number;
  /** From having parsed the response to the frame that shows it, ms; null until that frame. */
  readonly paintMs: number | null;
}

export interface LatencyPart {
  readonly name: 'embed' | 'search' | 'fetch' | 'network' | 'paint';
  readonly description: string;
  readonly ms: number;
}

/** Split the latency into parts that add up to `totalMs`; network = round trip − embed − search − fetch. */
export function latencyParts({ server, roundTripMs, paintMs }: Latency): LatencyPart[] {
  const onServer = server.embed + server.search + server.fetch;
  return [
    { name: 'embed', description: 'understand the query', ms: server.embed },
    { name: 'search', description: 'find the nearest pictures', ms: server.search },
    { name: 'fetch', description: 'load previews', ms: server.fetch },
    { name: 'network', description: 'request and response', ms: Math.max(0, roundTripMs - onServer) },
    { name: 'paint', description: 'draw the previews', ms: paintMs ?? 0 },
  ];
}

/** Return the time from sending the request to the painted pictures, ms. */
export function totalMs(latency: Latency): number {
  return latencyParts(latency).reduce((total, part) => total + part.ms, 0);
}
