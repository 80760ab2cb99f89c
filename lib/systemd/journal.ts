import { openNotifySocket, type SendDatagram } from './notify-socket.js';

const SOCKET = '/run/systemd/journal/socket';

/** Opens the way to the journal, for entries in its own format; null where there is none. */
export function openJournal(): SendDatagram | null {
  return openNotifySocket(SOCKET);
}
