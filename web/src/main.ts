/**
 * The page of snapseek: type words, see pictures.
 *
 *     api.ts            what the server says, checked at the door
 *     search.svelte.ts  everything the page knows: the one state class
 *     App.svelte        puts the components together and passes events up
 *     components/       show what they are given, and no more
 *
 * The other modules are pure functions: where tiles stand (layout), which tile an arrow key means
 * (navigation), which size of an original to ask for (original), and how things are said (wording, timing).
 */
import { mount } from 'svelte';
import App from './App.svelte';
import './tokens.css';

mount(App, { target: document.getElementById('app')! });
