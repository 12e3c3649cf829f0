import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { stringify } from 'yaml'
import { findPrometheus } from '../../scripts/find-prometheus.js'
import { freePort } from './free-port.js'
import { putOnLeash } from './leash.js'
import { until } from './until.js'

export type PrometheusOptions = {
  /** What it scrapes each second: `host:port`. */
  targets: string[]
  /** Paths of rule files, evaluated each second. */
  ruleFiles?: string[]
} | {
  /** The path of a configuration of its own. */
  configFile: string
}

/** One series of the answer to a query. */
export interface Series {
  metric: Record<string, string>
  value: [time: number, value: string]
}

/** A port may be taken between finding and using it. */
const PORT_ATTEMPTS = 5

/** Where promtool is. */
export function promtool (): string {
  return found().promtool
}

/** A real Prometheus on a free port of 127.0.0.1, in a temporary folder. */
export class PrometheusServer {
  private output = ''

  private constructor (
    readonly url: string, private readonly child: ChildProcess, private readonly folder: string
  ) {
    child.stderr?.on('data', chunk => { this.output += chunk })
    putOnLeash(child, folder)
  }

  /** Resolves when it is ready. Rejects where it does not take its configuration or rules. */
  static async start (options: PrometheusOptions): Promise<PrometheusServer> {
    const { path } = found()
    for (let attempt = 1; ; attempt++) {
      const folder = mkdtempSync(join(tmpdir(), 'mics-prometheus-'))
      const configFile = 'configFile' in options ? options.configFile : join(folder, 'prometheus.yml')
      if ('targets' in options) writeFileSync(configFile, configuration(options.targets, options.ruleFiles))
      const port = await freePort()
      const server = new PrometheusServer(`http://127.0.0.1:${port}`, spawn(path, [
        `--config.file=${configFile}`, `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`, '--log.level=warn',
      ], { stdio: ['ignore', 'ignore', 'pipe'] }), folder)
      try {
        await server.ready()
        return server
      } catch (error) {
        await server.close()
        if (attempt === PORT_ATTEMPTS || !/address already in use/.test(String(error))) throw error
      }
    }
  }

  /** What the HTTP API answers, without its envelope. Rejects with Prometheus' own words where it says no. */
  async get<T> (path: string, parameters: Record<string, string> = {}): Promise<T> {
    const response = await fetch(`${this.url}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`)
    const { status, data, error } = await response.json() as { status: string, data: T, error?: string }
    if (status !== 'success') throw new Error(`${path}: ${error ?? response.status}`)
    return data
  }

  async query (query: string): Promise<Series[]> {
    return (await this.get<{ result: Series[] }>('query', { query })).result
  }

  async close (): Promise<void> {
    if (!this.isGone) {
      const gone = once(this.child, 'exit')
      this.child.kill('SIGKILL')
      await gone
    }
    rmSync(this.folder, { recursive: true, force: true })
  }

  private get isGone (): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }

  private async ready (): Promise<void> {
    await until('Prometheus is ready', async () => {
      if (this.isGone) throw new Error(`Prometheus ended at its start:\n${this.output}`)
      // Until it listens the connection is refused.
      return await fetch(`${this.url}/-/ready`).then(({ ok }) => ok, () => false)
    })
  }
}

/** A server that is closed when the test ends. */
export async function withPrometheus (t: Test, options: PrometheusOptions): Promise<PrometheusServer> {
  const server = await PrometheusServer.start(options)
  t.teardown(async () => await server.close())
  return server
}

function configuration (targets: string[], ruleFiles: string[] = []): string {
  return stringify({
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: ruleFiles,
    scrape_configs: [{ job_name: 'mics', static_configs: [{ targets }] }],
  })
}

function found (): { path: string, promtool: string } {
  const { path, promtool, problem } = findPrometheus()
  if (path === undefined || promtool === undefined) {
    throw new Error(problem ?? 'no Prometheus found: run `node scripts/install-prometheus.js`, or set PROMETHEUS_PATH and PROMTOOL_PATH')
  }
  return { path, promtool }
}
