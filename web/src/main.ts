/**
 * The page of snapseek: type words, see pictures.
 *
 *     api.ts            what the server says, checked at the door
 *     search.svelte.ts  everything the page knows, with what is opened (opened) and chosen (selection)
 *     App.svelte        puts the components together and passes events up
 *     components/       show what they are given, and no more
 *
 * The other modules are pure functions; docs/PAGE.md names the rooms.
 */
import { mount } from 'svelte';
import App from './App.svelte';
import './tokens.css';

mount(App, { target: document.getElementById('app')! });
