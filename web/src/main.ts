/**
 * The page of snapseek: search pictures by words, pictures and filters.
 *
 *     lib/         pure functions, each with its test: query, API, URL, layout, formats, shortcuts
 *     state/       reactive state: request (what is searched), results (what came back), view, library
 *     components/  by area: search, filters, results, lightbox, library; they show state and call its methods
 *     testing/     fake server and sample data of the tests
 *     App.svelte   creates the state, provides it by context and puts the components together
 *
 * docs/PAGE.md says what the page does and which file does it.
 */
import { mount } from 'svelte';
import App from './App.svelte';
import './tokens.css';

mount(App, { target: document.getElementById('app')! });
