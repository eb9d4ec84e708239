import { ProblemError, ResponseError } from './errors';
import { serverUrl } from './serverUrl';

/** A word that the library was taught. */
export interface Concept {
  readonly name: string;
  /** Ids of pictures that show it. */
  readonly examples: readonly number[];
  /** Ids of pictures that do not. */
  readonly counterexamples: readonly number[];
}

export interface Concepts {
  readonly concepts: readonly Concept[];
  /** This page may change them. */
  readonly mayTeach: boolean;
}

/** The server's interface of taught words. All methods reject with ProblemError, ResponseError or TypeError. */
export interface ConceptsApi {
  list(): Promise<Concepts>;
  /** Mark pictures as examples of a word, or as pictures that do not show it. */
  teach(name: string, ids: readonly number[], isExample: boolean): Promise<Concept>;
  rename(name: string, newName: string): Promise<Concept>;
  delete(name: string): Promise<Concepts>;
}

type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Implement `ConceptsApi` over HTTP with the given `fetch`. */
export function conceptsApi(fetch: Fetch): ConceptsApi {
  const request = async (path: string, body?: unknown): Promise<Record<string, unknown>> => {
    const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
    const headers = { accept: 'application/json', 'content-type': 'application/json' };
    const response = await fetch(serverUrl(path), { ...init, headers });
    const found: unknown = await response.json().catch(() => null);
    if (typeof found !== 'object' || found === null) throw new ResponseError('The response is not JSON.');
    const fields = found as Record<string, unknown>;
    if (!response.ok) throw new ProblemError(response.status, `${fields['detail'] ?? fields['title']}`);
    return fields;
  };
  return {
    list: async () => parseConcepts(await request('/api/concepts')),
    teach: async (name, ids, isExample) => {
      const marks = isExample ? { examples: ids } : { counterexamples: ids };
      return parseConcept(await request('/api/concepts', { name, ...marks }));
    },
    rename: async (name, newName) =>
      parseConcept(await request('/api/concepts/rename', { name, new_name: newName })),
    delete: async (name) => parseConcepts(await request('/api/concepts/delete', { name })),
  };
}

function parseConcepts(found: Record<string, unknown>): Concepts {
  const listed = Array.isArray(found['concepts']) ? found['concepts'] : [];
  return {
    concepts: listed.map((entry) => parseConcept(entry as Record<string, unknown>)),
    mayTeach: found['may_teach'] === true,
  };
}

function parseConcept(found: Record<string, unknown>): Concept {
  return {
    name: `${found['name']}`,
    examples: idsOf(found['examples']),
    counterexamples: idsOf(found['counterexamples']),
  };
}

function idsOf(value: unknown): number[] {
  return Array.isArray(value) ? value.filter((id) => typeof id === 'number') : [];
}
