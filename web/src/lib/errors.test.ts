import { describe, expect, it } from 'vitest';
import { errorNotice, ProblemError, ResponseError } from './errors';

describe('errorNotice', () => {
  it('shows the message of the server and offers a retry for server errors only', () => {
    expect(errorNotice(new ProblemError(400, 'No.'))).toEqual({ message: 'No.', isRetryable: false });
    expect(errorNotice(new ProblemError(503, 'Busy.'))).toEqual({ message: 'Busy.', isRetryable: true });
  });

  it('offers a retry for an invalid response', () => {
    expect(errorNotice(new ResponseError('Odd.'))).toEqual({ message: 'Odd.', isRetryable: true });
  });

  it('reports any other failure as an unreachable server', () => {
    expect(errorNotice(new TypeError('Failed to fetch'))).toMatchObject({ isRetryable: true });
  });
});
