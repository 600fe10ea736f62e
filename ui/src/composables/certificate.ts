// SPDX-License-Identifier: GPL-3.0-or-later
// A password goes to a server only after an authority, or the administrator, has vouched for it.
import { ref, shallowRef } from 'vue'
import { validateTask } from '../api/index.ts'
import type { Certificate, ConnectionReport, TaskInput } from '../api/types.ts'
import { t } from '../i18n/index.ts'

/** The refusals that are a question: no one vouches for the server, or it shows another certificate than before. */
const QUESTIONS = new Set(['certificate_unknown', 'certificate_changed'])
export const isQuestion = (status: string): boolean => QUESTIONS.has(status)

/** The question about a server's certificate, and the one that was accepted. */
export function useCertificate() {
  const accepted = ref('')
  const asked = shallowRef<{ certificate: Certificate; host: string; changed: boolean } | null>(null)
  let answer: (yes: boolean) => void = () => {}

  /** The input with what vouches for the server; no one logs in where the answer is yet to be given. */
  const guarded = (input: TaskInput): TaskInput => ({
    ...input,
    confirm_certificate: true,
    ...(accepted.value ? { certificate: accepted.value } : {}),
  })

  /** Asks about the certificate that the server shows; resolves to whether it was accepted. */
  function ask(certificate: Certificate, host: string, changed: boolean): Promise<boolean> {
    asked.value = { certificate, host, changed }
    return new Promise((resolve) => (answer = resolve))
  }
  function decide(yes: boolean) {
    if (yes && asked.value) accepted.value = asked.value.certificate.sha256
    asked.value = null
    answer(yes)
  }

  /** Tests the logins, and asks first where no one vouches for the server. */
  async function test(input: TaskInput): Promise<ConnectionReport> {
    const report = await validateTask(t('action.validate-task'), guarded(input))
    const shown = report.remote.tls?.certificate
    const { status } = report.remote
    if (!isQuestion(status) || !shown || shown.sha256 === accepted.value) return report
    return (await ask(shown, input.remotehostname ?? input.source ?? '', status === 'certificate_changed')) ? test(input) : report
  }

  return { accepted, asked, decide, guarded, test }
}
