import type { Wait } from '../base/index.ts';
import type { Endpoint } from './endpoints.ts';
import { failureOf } from './failure.ts';
import { scopeOf } from './repository.ts';
import { locationOf } from './transport.ts';

/** Opens an upload and cancels it: the one question whose answer is whether pushing is allowed (go-containerregistry remote/check.go). Throws what the registry says against it. */
export async function checkPush(endpoint: Endpoint, w: Wait): Promise<void> {
  const { transport, repository } = endpoint;
  const what = `push to "${transport.registry}/${repository}"`;
  const scopes = [scopeOf(repository, 'pull', 'push')];
  await using response = await transport.request({
    method: 'POST',
    url: endpoint.url('blobs/uploads/'),
    scopes,
    headers: { 'content-length': '0' },
    what,
    signal: w.signal,
  });
  if (response.status !== 202 && response.status !== 201)
    throw await failureOf(response, {
      what,
      registry: transport.registry,
      user: await transport.user(scopes),
      access: 'push',
      missing: 'repository',
    });
  if (response.headers['location'] === undefined) return;
  try {
    const url = locationOf(response, what);
    await using _answer = await transport.request({
      method: 'DELETE',
      url,
      scopes,
      what,
      retry: false,
      signal: w.signal,
    });
  } catch {
    // The registry forgets an upload by itself.
  }
}
