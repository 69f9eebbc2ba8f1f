"""The smallest number of cards that serve ten requests a second, 95 % of them with a first token within a second and 50 ms a token."""

import cardwise

answer = cardwise.plan("llama-3.1-8b", "RTX 4090, L40S, H100 SXM", rate=10, input=1000, output=200, ttft=1000, tpot=50, percentile=95)

kept = [option for option in answer.options if option.meets]
for option in sorted(kept, key=lambda option: option.layout.cards):
    served = option.performance
    print(
        f"{option.name:14} {option.layout.degrees():14} {option.layout.weights:9}"
        f" p95 TTFT {served.ttft_tail_s * 1e3:5.0f} ms, p95 TPOT {served.tpot_tail_s * 1e3:4.0f} ms, busy {served.busy_share:.0%}"
    )
