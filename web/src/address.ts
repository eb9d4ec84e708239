/** The query in the page's address: `?q=`. */
export function queryIn(address: string): string {
  return new URL(address).searchParams.get('q') ?? '';
}

/** The page's address with another query; without `q` where the query is empty. */
export function withQuery(address: string, query: string): string {
  const url = new URL(address);
  if (query) url.searchParams.set('q', query);
  else url.searchParams.delete('q');
  return url.href;
}
