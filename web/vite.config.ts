import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// Host stays that of the page, so that the server takes the page for its own.
const server = { target: 'http://127.0.0.1:8000', changeOrigin: false };

export default defineConfig({
  plugins: [svelte()],
  // Relative addresses, so that the page also works below a sub-path.
  base: './',
  build: {
    outDir: '../python/snapseek/server/static',
    emptyOutDir: true,
    target: 'es2022',
    // The first versions with color-mix() and :has(), which the styles use.
    cssTarget: ['chrome111', 'firefox121', 'safari16.4'],
    // No data: URLs, so that a strict content security policy needs no exception.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { optimization: { inlineConst: { mode: 'all', pass: 3 } } },
  },
  server: { proxy: { '/api': server, '/healthz': server } },
  // Tests run the state classes as a browser does, not as server-side rendering does.
  resolve: process.env.VITEST ? { conditions: ['browser'] } : {},
  test: { include: ['src/**/*.test.ts'] },
});
