import { createHash } from 'node:crypto'

// Every key in Redis. What stands in braces decides the slot of a Redis Cluster, so keys that one script touches share
// it: those of a user, those of a tenant, those of the node directory.

/** Hash: device → its route. */
export function onlineKey (tenantId: string, userId: string): string {
  return `{${part(tenantId)}:${part(userId)}}:online`
}

/** Hash: member → how many offline messages it holds for the user. */
export function offlineKey (tenantId: string, userId: string): string {
  return `{${part(tenantId)}:${part(userId)}}:offline`
}

/** What is known of a message of a user's device. */
export function dedupKey (tenantId: string, userId: string, deviceId: string, msgId: string): string {
  return `{${part(tenantId)}:${part(userId)}}:dedup:${part(deviceId)}:${part(msgId)}`
}

/** Hash: member → how many connections the tenant has there. */
export function connectionsKey (tenantId: string): string {
  return `{${part(tenantId)}}:connections`
}

/** String: when the tenant's token bucket is full again. */
export function tokensKey (tenantId: string): string {
  return `{${part(tenantId)}}:tokens`
}

/** Sorted set: member → when its lease ends. */
export const leasesKey = '{mics:nodes}:leases'

/** Hash: member → what the others know of it. */
export const memberInfoKey = '{mics:nodes}:info'

/** Sorted set: member that is gone → when somebody else may be chosen to remove what it has left behind. */
export const deadMembersKey = '{mics:nodes}:dead'

/** Set: the users a member has registered something for. */
export function memberUsersKey (memberKey: string): string {
  return `{mics:node:${part(memberKey)}}:users`
}

/** Characters; ids come from clients, who may send long ones. */
const MAX_PART_LENGTH = 128

/** An id as part of a key: without what has a meaning there, and never long. Different ids stay different. */
function part (id: string): string {
  const encoded = /[%{}:]/.test(id) ? id.replace(/[%{}:]/g, encodeURIComponent) : id
  if (encoded.length <= MAX_PART_LENGTH) return encoded
  // No encoded id begins like this.
  return `%%${createHash('sha256').update(id).digest('base64url')}`
}
