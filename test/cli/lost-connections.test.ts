import { join } from 'node:path';
import t from 'tap';
import { mountDirFor } from '../support/mount-child.js';
import { PlaneProcesses, Program, inviteThrough, untilOnline } from '../support/plane-processes.js';
import { TcpProxy } from '../support/tcp-proxy.js';

t.test(
  'a connection that is lost and comes back is in the log of the node, of the plane and of the mount',
  async (t) => {
    const plane = await PlaneProcesses.start(t);
    const port = Number(new URL(plane.url).port);
    const proxy = await TcpProxy.start(() => port);
    t.teardown(() => proxy.close());
    plane.url = proxy.url;
    const dir = mountDirFor(t);
    const mount = new Program(t, [
      'mount',
      dir,
      ...plane.as('admin'),
      '--state-dir',
      join(dir, '..', 'state'),
    ]);
    await mount.says(/Mounted on/);
    const node = plane.node('n1', []).start(await inviteThrough(dir));
    await node.program.says(/is running/);
    await untilOnline(dir, 'n1');
    proxy.cut();
    for (const program of [mount, node.program]) {
      await program.says(
        /warn {2}There is no connection to the control plane; it is tried again\. reason=".*lost \(\d+/,
      );
      await program.says(/warn {2}The connection to the control plane is back\. away_ms=\d+ attempts=\d+/);
    }
    await plane.control.says(/warn {2}a node's connection was lost node_id=n1 code=\d+ .*lasted_ms=\d+/);
    await plane.control.says(/warn {2}a node's connection is back node_id=n1 away_ms=\d+/);
    t.pass('all three said so');
  },
);
