/** Calls as instances make them among themselves: POST requests, signed under a key that is derived from the code secret. */
import { createHmac, hkdfSync } from 'node:crypto';
import { NotPossible } from './not-possible.js';

/** @param {string} secret CODE_SECRET */
export function instanceKey(secret) {
  return Buffer.from(hkdfSync('sha256', secret, '', 'tallyhop calls between instances', 32));
}

/** The answer's JSON; null when the task that is asked for is not there. */
export async function callInstance(client, key, path, question) {
  const body = Buffer.from(JSON.stringify(question));
  const time = String(Date.now());
  const signature = createHmac('sha256', key).update(`POST\n${path}\n${time}\n`).update(body).digest('hex');
  const headers = {
    'Content-Type': 'application/json',
    'Content-Length': String(body.length),
    Authorization: `Tallyhop-HMAC-SHA256 ${time}:${signature}`,
  };
  const { status, bytes } = await client.ask('POST', path, { headers, body });
  if (status === 200) return JSON.parse(bytes.toString());
  if (status === 421) return null;
  const why =
    status === 401 || status === 403
      ? 'Set CODE_SECRET as the instances have it, and see that clocks agree.'
      : bytes.toString();
  throw new NotPossible(`${client.url}${path} answers ${status}. ${why}`);
}
