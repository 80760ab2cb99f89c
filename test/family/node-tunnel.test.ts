import { readFileSync } from 'node:fs';
import t from 'tap';
import { PlaneProcesses } from '../support/plane-processes.js';
import { ControlProgram } from './fixtures/control-program.js';
import { RawSocket, type Frame } from './fixtures/raw-socket.js';
import { ShellProgram } from './fixtures/shell-program.js';

t.test(
  "a node of the family's keeps its tunnel, and what it does not know of ours harms nobody",
  async (t) => {
    const plane = await PlaneProcesses.start(t);
    const token = readFileSync(plane.tokenFile('admin'), 'utf8').trim();
    const admin = await ControlProgram.start(t, plane.url, { token });
    const { invite_token } = await admin.ask('node_invite_create', { expires_in_ms: 60_000 });
    const { node_id, node_secret } = await admin.ask('node_join', {
      invite_token,
      node_name: 'far',
      fs_url: '',
    });
    const fs_url = `${plane.url}/v2/fs/node/far`;
    await admin.ask('node_lease_refresh', { node_id, node_secret, fs_url, lease_ttl_ms: 900_000 });
    const services = [
      {
        service_id: 'echo',
        kind: 'echo',
        version: '1',
        state: 'online',
        endpoints: ['/nodes/far/echo'],
        runtime: { type: 'native_proc' },
        help_md: 'Says it again.',
      },
    ];
    await admin.ask('node_service_upsert', { node_id, node_secret, services });

    const tunnel = await RawSocket.dial(t, `${plane.url}/v2/node`);
    if (typeof tunnel === 'string') throw new Error(tunnel);
    const hello = { protocol: 'unified-v2-fs', proto: 2, node_id, node_secret };
    tunnel.send({ channel: 'acheron', type: 'acheron.t_fs_hello', tag: 1, payload: hello });
    t.match(await tunnel.next(({ tag }) => tag === 1, 'the answer to hello'), {
      type: 'acheron.r_fs_hello',
      ok: true,
    });
    let isOver = false;
    /** It answers each request, most of them with an errno, and leaves alone what is no request. */
    const serve = async (): Promise<void> => {
      const isRequest = ({ type }: Frame): boolean => type.startsWith('acheron.t_fs_');
      while (!isOver) {
        const { tag } = await tunnel.next((frame) => isOver || isRequest(frame), 'a request');
        tunnel.send({
          channel: 'acheron',
          type: 'acheron.err_fs',
          tag,
          ok: false,
          error: { errno: 38, message: 'No.' },
        });
      }
    };
    const served = serve().catch(() => undefined);
    t.teardown(async () => {
      isOver = true;
      tunnel.close();
      await served;
    });

    const shell = await ShellProgram.start(t, plane.url, { token });
    t.match(await shell.read('/nodes/far/services/echo/README.md'), /Says it again\./);
    t.match(JSON.parse(await shell.read('/nodes/far/services/SERVICES.json')), [{ service_id: 'echo' }]);
    const invoke = await shell
      .write('/nodes/far/services/echo/control/invoke.json', '{}')
      .catch(() => 'refused');
    t.equal(invoke, 'refused', 'what it cannot be asked is refused, not waited for');
    t.notOk(tunnel.ended, 'the tunnel is still there');
    t.match(await admin.ask('node_get', { node_id: 'far' }), { state: 'online' });
  },
);
