import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// Host stays that of the page, so that the server takes the page for its own.
const server = { target: 'http://127.0.0.1:8000', changeOrigin: false };

export default defineConfig({
  plugins: [svelte()],
  build: {
    outDir: '../python/snapseek/server/static',
    emptyOutDir: true,
    target: 'es2022',
    // Every file by its own address: a strict content security policy then needs no exception for scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { '/api': server, '/healthz': server } },
  // The state class is tested as the browser runs it, not as a server would render it.
  resolve: process.env.VITEST ? { conditions: ['browser'] } : {},
  test: { include: ['src/**/*.test.ts'] },
});
