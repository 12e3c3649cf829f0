type Env = Record<string, string | undefined>

export const helmVersion: string
export const schemasVersion: string
export const kubernetesVersions: string[]
export function findHelm (env?: Env): { path?: string, problem?: string }
export function helmFolder (env?: Env): string
export function findKubernetesSchemas (env?: Env): string | undefined
export function schemasFolder (env?: Env): string
