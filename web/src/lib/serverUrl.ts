/**
 * Return the address of a path of the server, such as `/api/info`, relative to the page. So the page also
 * works below a sub-path. Web addresses, and paths outside of `/api/`, stay as they are.
 */
export function serverUrl(path: string): string {
  return path.startsWith('/api/') ? path.slice(1) : path;
}

/** Whether the server itself sends what is at this address. */
export function isOnServer(url: string): boolean {
  return !/^[a-z][a-z+.-]*:/i.test(url);
}
