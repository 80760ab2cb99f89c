import { once } from 'node:events';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { makePrivateDir, replaceFile } from '../disk/index.js';

/**
 * Opens `link` in the browser of the desktop, where there is one. Arguments of programs can be seen by everybody, so the
 * browser is given `page`, a file of ours that leads on; nobody else may read it, and its link is of no use after a minute.
 */
export async function openInBrowser(link: string, page: string): Promise<void> {
  const { DISPLAY, WAYLAND_DISPLAY } = process.env;
  if (process.platform !== 'darwin' && !DISPLAY && !WAYLAND_DISPLAY) return;
  makePrivateDir(dirname(page));
  replaceFile(page, `<!doctype html><meta http-equiv="refresh" content="0;url=${link}">\n`);
  const { spawn } = await import('node:child_process');
  const opener = process.platform === 'darwin' ? 'open' : 'xdg-open';
  const child = spawn(opener, [pathToFileURL(page).href], { stdio: 'ignore', detached: true });
  child.unref();
  await once(child, 'spawn');
}
