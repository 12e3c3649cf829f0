import { MicsClient } from '@mics/client'

/** A client for whoever signed in. It connects by `connect()`, and stays connected until `close()`. */
export function createClient (name) {
  return new MicsClient({
    url: import.meta.env.VITE_MICS_URL ?? 'ws://localhost:8080',
    tenantId: import.meta.env.VITE_MICS_TENANT ?? 'demo',
    deviceId: deviceId(),
    // The demo tenant takes `valid:<name>`. Your app asks its own backend, each time: a token may have run out.
    token: async () => `valid:${name}`,
    // What is written while there is no connection waits until there is one. Default: 30 seconds.
    sendTimeoutMs: Infinity,
  })
}

/** Each tab is a device of its own, and stays the same one when it is loaded again. */
function deviceId () {
  const id = sessionStorage.getItem('deviceId') ?? crypto.randomUUID()
  sessionStorage.setItem('deviceId', id)
  return id
}
