import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'

/** A port of 127.0.0.1 that is free now. */
export async function freePort (): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/**
 * A port of 127.0.0.1 that is free now, and that the system gives to no outgoing connection: a server may leave it and
 * come back. (A client that keeps trying to connect to a port of those may be given the very port, and then talks to
 * itself.)
 */
export async function lastingPort (): Promise<number> {
  for (;;) {
    const port = randomInt(15_000, 32_768)
    if (await isFree(port)) return port
  }
}

/** Ports that follow one another, each as `lastingPort` has it. */
export async function portsInARow (count: number): Promise<number[]> {
  for (;;) {
    const first = await lastingPort()
    const ports = Array.from({ length: count }, (_, index) => first + index)
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return ports
  }
}

/** Does nobody listen on this port of 127.0.0.1? */
export async function isFree (port: number): Promise<boolean> {
  const server = createServer()
  const listening = once(server, 'listening').then(() => true, () => false)
  server.listen(port, '127.0.0.1')
  if (!await listening) return false
  server.close()
  await once(server, 'close')
  return true
}
