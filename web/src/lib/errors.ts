/** Begin in upper case, as messages of the server do not; what the user typed, in quotes, stays as it was. */
export function capitalized(text: string): string {
  return text.replace(/^[a-z]/, (letter) => letter.toUpperCase());
}

/** The server refused a request; the message is the `detail` of its problem+json. */
export class ProblemError extends Error {
  constructor(
    readonly status: number,
    detail: string,
  ) {
    super(capitalized(detail));
  }
}

/** A response does not have the form that the page expects. */
export class ResponseError extends Error {}

/** Return the error of a response that is not 2xx. */
export async function problemOf(response: Response): Promise<ProblemError> {
  const problem = (await response.json().catch(() => null)) as Record<string, unknown> | null;
  const detail = problem?.['detail'] ?? problem?.['title'];
  const isText = typeof detail === 'string' && detail !== '';
  return new ProblemError(
    response.status,
    isText ? detail : `The server responded with status ${response.status}.`,
  );
}

/** An error as the page shows it. */
export interface ErrorNotice {
  /** One or two sentences for the user. */
  readonly message: string;
  /** Whether the same request can succeed later; false if the query itself is refused. */
  readonly isRetryable: boolean;
}

/** Turn the failure of a request into what the page shows. */
export function errorNotice(cause: unknown): ErrorNotice {
  if (cause instanceof ProblemError) return { message: cause.message, isRetryable: cause.status >= 500 };
  if (cause instanceof ResponseError) return { message: cause.message, isRetryable: true };
  return { message: 'The server does not respond. Is snapseek still running?', isRetryable: true };
}
