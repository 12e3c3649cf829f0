import { EventEmitter, once } from 'node:events'
import type { ClusterNode } from '../cluster/test-cluster.js'
import type { NginxServer } from '../helpers/nginx-server.js'

/** A readiness probe as in the chart's values. */
export interface Probe {
  periodMs: number
  timeoutMs: number
  /** So many failures in a row, and no new clients are led there; one success, and they are again. */
  failureThreshold: number
}

interface Pod {
  node: ClusterNode
  isReady: boolean
  failures: number
  isProbing: boolean
  probes: NodeJS.Timeout
}

/**
 * What Kubernetes does between gateways and their load balancer: asks each for its readiness again and again, and keeps
 * the balancer's list of those that are ready. It knows nothing of what is started or stopped.
 */
export class Kubelet {
  private readonly pods = new Map<ClusterNode, Pod>()
  private readonly events = new EventEmitter()
  /** Those that nginx leads to, as far as it has said so. */
  private listed: readonly ClusterNode[] = []

  constructor (private readonly nginx: NginxServer, private readonly probe: Probe) {}

  /** From now on this gateway is asked. */
  watch (node: ClusterNode): void {
    const probes = setInterval(() => this.update(this.ask(pod)), this.probe.periodMs)
    const pod: Pod = { node, isReady: false, failures: 0, isProbing: false, probes }
    this.pods.set(node, pod)
  }

  /** It is gone for good, and somebody else may get its address. */
  forget (node: ClusterNode): void {
    const pod = this.pods.get(node)
    if (pod === undefined) return
    clearInterval(pod.probes)
    this.pods.delete(node)
    if (pod.isReady) this.update(this.tell())
  }

  /** Resolves when nginx leads to exactly these. */
  async leadsTo (nodes: readonly ClusterNode[]): Promise<void> {
    while (nodes.length !== this.listed.length || nodes.some(node => !this.listed.includes(node))) {
      await once(this.events, 'change')
    }
  }

  /** Nobody is asked any more. */
  stop (): void {
    for (const { probes } of this.pods.values()) clearInterval(probes)
    this.pods.clear()
  }

  /** What goes wrong is for whoever waits, or ends the test. */
  private update (change: Promise<void>): void {
    change.catch(error => { if (this.pods.size > 0) this.events.emit('error', error) })
  }

  private async ask (pod: Pod): Promise<void> {
    if (pod.isProbing) return
    pod.isProbing = true
    const isReady = await fetch(`${pod.node.url}/readyz`, { signal: AbortSignal.timeout(this.probe.timeoutMs) })
      .then(({ ok }) => ok, () => false)
    pod.isProbing = false
    if (!this.pods.has(pod.node)) return
    pod.failures = isReady ? 0 : pod.failures + 1
    if (pod.isReady === isReady || (!isReady && pod.failures < this.probe.failureThreshold)) return
    pod.isReady = isReady
    await this.tell()
  }

  private async tell (): Promise<void> {
    const ready = [...this.pods.values()].filter(pod => pod.isReady).map(({ node }) => node)
    if (ready.length === 0) return // nginx takes no empty list
    await this.nginx.leadTo(ready.map(({ url }) => new URL(url).host))
    this.listed = ready
    this.events.emit('change')
  }
}
