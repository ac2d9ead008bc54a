// Making a user by choosing a name.

// createGuest returns { token, user_id, name, expires }, or throws an Error whose
// message can be shown.
export async function createGuest(name) {
  let response;
  try {
    response = await fetch('/api/guest', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ name }),
    });
  } catch {
    throw new Error('The server cannot be reached. Is it running?');
  }
  const answer = await response.json().catch(() => null);
  if (response.ok && answer?.token) {
    return answer;
  }
  if (response.status === 404) {
    throw new Error('This server takes no guests.');
  }
  const retryAfter = Number(response.headers.get('Retry-After'));
  const problem = answer?.message || `The server answered with HTTP status ${response.status}.`;
  throw new Error(retryAfter > 0 ? `${problem} (try again in ${retryAfter} s)` : problem);
}
