// The server's HTTP door: making a user by choosing a name, renewing a token, changing
// the name.

import { again, sentence } from './refused.js';

const TIMEOUT = 15_000; // milliseconds

// GuestError is why there is no answer that helps. Its message can be shown. refused
// says that the server answered, and does not accept the token; anything else may pass.
export class GuestError extends Error {
  refused;

  constructor(message, { refused = false } = {}) {
    super(message);
    this.refused = refused;
  }
}

// askGuest asks for a guest: { name } makes one, { token } renews a token, and both
// give its user another name. It returns { token, user_id, name, expires }, or throws a
// GuestError.
export async function askGuest(fields, world = globalThis) {
  let response;
  try {
    response = await world.fetch('api/guest', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(fields),
      signal: AbortSignal.timeout(TIMEOUT),
    });
  } catch {
    throw new GuestError('The server cannot be reached. Is it running?');
  }
  const answer = await response.json().catch(() => null);
  if (response.ok && answer?.token) {
    return answer;
  }
  if (response.status === 404) {
    throw new GuestError('This server takes no guests.');
  }
  const refused = response.status === 401 && ['token_refused', 'token_expired'].includes(answer?.reason);
  const retryAfter = Number(response.headers.get('Retry-After'));
  const problem = sentence(answer?.message) || `The server answered with HTTP status ${response.status}.`;
  throw new GuestError(retryAfter > 0 ? `${problem} ${again(1000 * retryAfter)}` : problem, { refused });
}
