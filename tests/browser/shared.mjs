// What several nodes of one place share: a real PostgreSQL and a real Redis, gone with this process however that ends.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PATIENCE } from './harness.mjs';

/** Runs `$@` until the pipe at its standard input closes, then nothing is left of the folder `$1`. */
const WATCH = 'folder=$1; shift; "$@" >/dev/null 2>&1 </dev/null & server=$!; read end; kill -INT $server; wait $server; rm -rf "$folder"';

/** Both servers, empty; `settings` lead a node to them. */
export class Shared {
  settings;
  #leashes = [];

  static async start() {
    const shared = new Shared();
    const [postgres, redis] = [await freePort(), await freePort()];
    shared.#postgres(postgres);
    shared.#leash(join(tmpdir(), `communiconnect-redis-${redis}`), ['redis-server', '--port', redis, '--bind', '127.0.0.1', '--save', '', '--dir', tmpdir()]);
    await Promise.all([answers(postgres), answers(redis)]);
    await shared.#database(postgres);
    shared.settings = [`store.url=postgres://postgres@127.0.0.1:${postgres}/stories`, `broker.url=redis://127.0.0.1:${redis}`];
    return shared;
  }

  async close() {
    await Promise.all(this.#leashes.map((leash) => new Promise((resolve) => {
      leash.once('exit', resolve);
      leash.stdin.end();
    })));
  }

  #postgres(port) {
    const folder = join(tmpdir(), `communiconnect-pg-${port}`);
    run(program('initdb'), ['--auth=trust', '--username=postgres', '--encoding=UTF8', '--locale=C.UTF-8', '--no-sync', '--no-instructions', '-D', folder]);
    this.#leash(folder, [program('postgres'), '-D', folder, '-p', port, '-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories=', '-c', 'fsync=off']);
  }

  /** A server that takes connections may still be about to open its databases. */
  async #database(port) {
    for (const until = Date.now() + PATIENCE; ; ) {
      try {
        return run(program('createdb'), ['-h', '127.0.0.1', '-p', port, '-U', 'postgres', 'stories']);
      } catch (error) {
        if (Date.now() > until) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  #leash(folder, command) {
    const [name, args] = asServer('sh', ['-c', WATCH, 'watch', folder, ...command.map(String)]);
    this.#leashes.push(spawn(name, args, { stdio: ['pipe', 'ignore', 'inherit'], cwd: tmpdir() }));
  }
}

function run(name, args) {
  execFileSync(...asServer(name, args.map(String)), { cwd: tmpdir(), stdio: ['ignore', 'ignore', 'pipe'] });
}

/** PostgreSQL refuses to run as root: then it runs as the user of Debian's package. */
function asServer(name, args) {
  if (process.getuid() !== 0) return [name, args];
  return ['setpriv', ['--reuid=postgres', '--regid=postgres', '--clear-groups', '--', name, ...args]];
}

/** Debian keeps the server's programs out of the path, in a folder per version. */
function program(name) {
  const versions = '/usr/lib/postgresql';
  const found = existsSync(versions) ? readdirSync(versions).map((version) => join(versions, version, 'bin', name)).filter(existsSync) : [];
  return found.sort().at(-1) ?? name;
}

async function freePort() {
  const probe = createServer();
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

async function answers(port) {
  for (const until = Date.now() + PATIENCE; ; ) {
    const open = await new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(socket.end() !== null));
      socket.on('error', () => resolve(false));
    });
    if (open) return;
    if (Date.now() > until) throw new Error(`nothing answers on port ${port}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
