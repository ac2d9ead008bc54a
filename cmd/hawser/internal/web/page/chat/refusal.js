// Why a connection does not come about. A browser keeps that from the page, but the
// same server answers the same refusal over HTTP.

const TIMEOUT = 4000; // milliseconds
const LONGEST_WAIT = 300; // seconds, whatever the server says
const LONGEST_WORDS = 200;

// explain asks the address of the WebSocket as HTTP. It returns { reason, words, wait }:
// words are the server's own, perhaps ''; wait is how many seconds it asks us to stay
// away, 0 if it does not say; and reason is
//   'unreachable'  there was no answer
//   'refused'      a status of 429 or 503
//   'proxy'        a status of 502 or 504
//   'blocked'      HTTP works, and so would WebSocket if something let it pass
//   'http'         any other status, which is in words
export async function explain(url, world = globalThis) {
  let response;
  try {
    response = await world.fetch(url.replace(/^ws/, 'http'), {
      cache: 'no-store', redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT),
    });
  } catch {
    return { reason: 'unreachable', words: '', wait: 0 };
  }
  const { status } = response;
  switch (status) {
    case 429:
    case 503:
      return { reason: 'refused', words: await wordsOf(response), wait: waitOf(response) };
    case 502:
    case 504:
      return { reason: 'proxy', words: '', wait: waitOf(response) };
    case 400: // it was no handshake, which is all that it lacked
    case 426: // "Upgrade Required"
      return { reason: 'blocked', words: '', wait: 0 };
  }
  return { reason: 'http', words: `HTTP status ${status}`, wait: waitOf(response) };
}

// wordsOf is what a server of ours says. The page of somebody else's proxy says less.
async function wordsOf(response) {
  if (!response.headers.get('Content-Type')?.startsWith('text/plain')) {
    return `HTTP status ${response.status}`;
  }
  const text = (await response.text().catch(() => '')).trim();
  return text.length <= LONGEST_WORDS ? text : '';
}

// waitOf reads Retry-After, which is seconds or a date (RFC 9110 10.2.3).
function waitOf(response) {
  const value = response.headers.get('Retry-After');
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return seconds > 0 ? Math.min(seconds, LONGEST_WAIT) : 0;
}
