type Env = Record<string, string | undefined>

export const helmVersion: string
export const schemasVersion: string
export const kubernetesVersions: string[]
export const customResourceModules: Array<{ path: string, version: string, folder: string, files: string[] }>
export function findHelm (env?: Env): { path?: string, problem?: string }
export function helmFolder (env?: Env): string
export function findKubernetesSchemas (env?: Env): string | undefined
export function schemasFolder (env?: Env): string
export function findCustomResources (env?: Env): string | undefined
export function customResourcesFolder (env?: Env): string
