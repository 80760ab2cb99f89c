import { render } from 'preact';
import { App } from './app.js';
import { followAddress } from './model/route.js';
import { session, signOut } from './model/session.js';
import { takeCode } from './wire/sign-in.js';
import './styles.css';

const code = takeCode();
followAddress();
// The secret goes with the page, so its session is of no use to anybody after that.
window.addEventListener('pagehide', ({ persisted }) => {
  if (!persisted && session.value !== null) void signOut(session.value);
});
const app = document.getElementById('app');
if (app !== null) render(<App code={code} />, app);
