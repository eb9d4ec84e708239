import { build } from 'vite';
import { gzipSync } from 'node:zlib';
await build({ logLevel: 'error', build: { outDir: '/tmp/upgradepage/dist', emptyOutDir: true, minify: true }, plugins: [{ name: 's', generateBundle(_, b) {
  for (const c of Object.values(b)) if (c.isEntry) {
    const rows = Object.entries(c.modules).map(([id, m]) => [m.renderedLength, m.code ? gzipSync(m.code).length : 0, id.replace(/.*\/(web|node_modules)\//, '')]);
    const sv = rows.filter(r => r[2].startsWith('svelte/'));
    console.log('svelte', sv.reduce((a, r) => a + r[1], 0));
    rows.sort((a, b) => b[1] - a[1]);
    for (const r of rows.filter(r => !r[2].startsWith('svelte/')).slice(0, 60)) console.log(r.join(' '));
  }
} }] });
