/* Asking our own server. */

/** What the server, or the way to it, said no with. */
export class Refusal extends Error {
  constructor(status, said) {
    super(said.code);
    this.status = status;
    this.said = said;
  }
}

export class Server {
  constructor(session, key) {
    this.root = `/api/sessions/${session}`;
    this.key = key;
  }

  async get(path = "", query = {}) {
    const asked = new URLSearchParams(query).toString();
    return (await this.#ask(`${path}${asked && `?${asked}`}`, { cache: "no-store" })).json();
  }

  async bytes(path) {
    return new Uint8Array(await (await this.#ask(path, {})).arrayBuffer());
  }

  async send(method, path, value, { last = false } = {}) {
    const headers = { "X-Tribune-Key": this.key, "Content-Type": "application/json" };
    const body = value === undefined ? undefined : JSON.stringify(value);
    // A browser that closes lets a small request go out all the same.
    const answer = await this.#ask(path, { method, headers, body, keepalive: last && body.length < 60_000 });
    return answer.status === 204 ? null : answer.json();
  }

  async #ask(path, options) {
    let answer;
    try {
      answer = await fetch(`${this.root}${path}`, options);
    } catch {
      throw new Refusal(0, { code: "editor.unreachable" });
    }
    if (answer.ok) return answer;
    throw new Refusal(answer.status, await answer.json().catch(() => ({ code: "editor.unreachable" })));
  }
}
