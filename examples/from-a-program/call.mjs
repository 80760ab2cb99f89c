// Calls a service of the node on this machine; `connect({ url, token })` or `connect({ mount })` would do the same elsewhere.
import { connect } from 'acheron';

const client = await connect({ stateDir: process.env.ACHERON_STATE_DIR });
try {
  const { input } = await client.describe('word-lengths');
  console.log('it takes', Object.keys(input.properties));
  console.log(await client.invoke('word-lengths', { text: 'a program calls' }));

  const job = await client.submit('word-lengths', { text: 'and follows' });
  for await (const event of job.follow())
    if (event.type === 'stderr') console.log('it says', event.text.trim());
  console.log(await job.result());

  await client.invoke('word-lengths', {});
} catch (error) {
  console.log(error.code, error.message);
} finally {
  await client.close();
}
