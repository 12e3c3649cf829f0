import { EventEmitter } from 'node:events'
import { isDeepStrictEqual } from 'node:util'
import type { TenantConfig } from '../config/gateway-config.js'
import { Tenant, type HookDefaults } from './tenant.js'

export interface TenantsEvents {
  added: [tenantId: string]
  changed: [tenantId: string]
  removed: [tenantId: string]
}

/** Ids of the tenants that a replacement touched. */
export interface TenantsDifference {
  added: string[]
  changed: string[]
  removed: string[]
}

/** The tenants in force. Events come once a replacement is complete: a listener sees the new tenants only. */
export class Tenants extends EventEmitter<TenantsEvents> {
  readonly #gateway: HookDefaults
  #tenants: ReadonlyMap<string, Tenant> = new Map()

  /** @throws {Error} where two tenants share an id. */
  constructor (gateway: HookDefaults, configs: readonly TenantConfig[] = []) {
    super()
    this.#gateway = gateway
    this.#tenants = this.#build(configs)
  }

  get size (): number {
    return this.#tenants.size
  }

  get (tenantId: string): Tenant | undefined {
    return this.#tenants.get(tenantId)
  }

  ids (): string[] {
    return [...this.#tenants.keys()]
  }

  /**
   * Puts these tenants in place of all others. One that did not change stays the same object.
   * @throws {Error} where two tenants share an id; the previous tenants then stay.
   */
  replaceAll (configs: readonly TenantConfig[]): TenantsDifference {
    const previous = this.#tenants
    const next = this.#build(configs)
    this.#tenants = next
    const difference = {
      added: [...next.keys()].filter(id => !previous.has(id)),
      changed: [...next.keys()].filter(id => previous.has(id) && previous.get(id) !== next.get(id)),
      removed: [...previous.keys()].filter(id => !next.has(id)),
    }
    for (const id of difference.removed) this.emit('removed', id)
    for (const id of difference.changed) this.emit('changed', id)
    for (const id of difference.added) this.emit('added', id)
    return difference
  }

  #build (configs: readonly TenantConfig[]): Map<string, Tenant> {
    const tenants = new Map<string, Tenant>()
    for (const config of configs) {
      if (tenants.has(config.id)) throw new Error(`two tenants have the id ${config.id}: give each its own`)
      const known = this.#tenants.get(config.id)
      const unchanged = known !== undefined && isDeepStrictEqual(known.config, config)
      tenants.set(config.id, unchanged ? known : new Tenant(config, this.#gateway))
    }
    return tenants
  }
}
