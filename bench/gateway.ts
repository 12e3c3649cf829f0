/** A gateway for benchmarks: configured by the environment, prints its URL as its first line. */
import { loadConfig } from '../lib/config/load-config.js'
import { startServer } from '../server.js'

const { url } = await startServer({ config: loadConfig(process.env), embedded: false, handleSignals: false })
console.log(url)
