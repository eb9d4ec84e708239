import { describe, expect, it } from 'vitest';
import { errorNotice, ProblemError, ResponseError } from './errors';

describe('errorNotice', () => {
  it('shows the message of the server and offers a retry for server errors only', () => {
    expect(errorNotice(new ProblemError(400, 'No.'))).toEqual({ message: 'No.', isRetryable: false });
    expect(errorNotice(new ProblemError(503, 'Busy.'))).toEqual({ message: 'Busy.', isRetryable: true });
  });

  it('begins in upper case, but for what the user typed', () => {
    const [typed, other] = ["'abc' is not a year", 'expected a folder'];
    expect(errorNotice(new ProblemError(400, typed)).message).toBe(typed);
    expect(errorNotice(new ProblemError(400, other)).message).toBe('Expected a folder');
  });

  it('offers a retry for an invalid response', () => {
    expect(errorNotice(new ResponseError('Odd.'))).toEqual({ message: 'Odd.', isRetryable: true });
  });

  it('reports any other failure as an unreachable server', () => {
    expect(errorNotice(new TypeError('Failed to fetch'))).toMatchObject({ isRetryable: true });
  });
});
