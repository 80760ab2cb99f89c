// Exits with 0 while the server of this container answers /healthz with 200, else with 1 and a sentence. HEALTH_URL says where. It asks this
// machine alone, so a certificate of TLS, which is made out to another name, is not looked at.
import { get as getByHttp } from 'node:http';
import { get as getByTls } from 'node:https';

const url = new URL(process.env.HEALTH_URL ?? 'http://127.0.0.1:18791/healthz');
if (!['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname))
  end(`HEALTH_URL names ${url.hostname}: only this machine is asked.`);

const get = url.protocol === 'https:' ? getByTls : getByHttp;
get(url, { rejectUnauthorized: false, timeout: 4000 }, (response) => {
  if (response.statusCode === 200) process.exit(0);
  end(`${url.href} answers ${response.statusCode}.`);
})
  .on('timeout', () => end(`${url.href} does not answer.`))
  .on('error', ({ message }) => end(`${url.href} cannot be asked: ${message}`));

function end(sentence) {
  console.error(sentence);
  process.exit(1);
}
