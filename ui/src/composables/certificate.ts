// SPDX-License-Identifier: GPL-3.0-or-later
// A password goes to a server only after an authority, or the administrator, has vouched for it.
import { ref, shallowRef } from 'vue'
import { validateTask } from '../api/index.ts'
import type { Certificate, ConnectionReport, Task, TaskInput } from '../api/types.ts'
import { t } from '../i18n/index.ts'

/** The fingerprint of no certificate: whoever is trusted by nobody is told apart before the login. */
const NONE = '0'.repeat(64)

/** The question about a server's certificate, and the one that was accepted. */
export function useCertificate(original: () => Task | null) {
  const accepted = ref('')
  const asked = shallowRef<{ certificate: Certificate; host: string; changed: boolean } | null>(null)
  let answer: (yes: boolean) => void = () => {}

  const storedFor = (input: TaskInput) => {
    const task = original()
    const same = task && task.remotehostname === input.remotehostname && String(task.remoteport) === String(input.remoteport)
    return same ? (task.certificate ?? '') : ''
  }

  /** The input with what vouches for the server. What is sent without encryption is nobody's secret anyway. */
  function guarded(input: TaskInput): TaskInput {
    if (accepted.value) return { ...input, certificate: accepted.value }
    return input.security === '' || storedFor(input) ? input : { ...input, certificate: NONE }
  }

  /** Asks about the certificate that the server shows; resolves to whether it was accepted. */
  function ask(certificate: Certificate, input: TaskInput): Promise<boolean> {
    asked.value = { certificate, host: input.remotehostname, changed: storedFor(input) !== '' }
    return new Promise((resolve) => (answer = resolve))
  }
  function decide(yes: boolean) {
    if (yes && asked.value) accepted.value = asked.value.certificate.sha256
    asked.value = null
    answer(yes)
  }

  /** Tests the logins, and asks first where nobody vouches for the server. */
  async function test(input: TaskInput): Promise<ConnectionReport> {
    const report = await validateTask(t('action.validate-task'), guarded(input))
    const shown = report.remote.tls?.certificate
    if (report.remote.status !== 'certificate_changed' || !shown) return report
    return (await ask(shown, input)) ? test(input) : report
  }

  return { accepted, asked, decide, guarded, test }
}
