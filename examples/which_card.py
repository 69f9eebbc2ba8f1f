"""Which card for a 70B chat model with eight users and 4,096 tokens of context? The answer as numbers, not as a table."""

import cardwise

answer = cardwise.plan("llama-2-70b", "RTX 4090, A100 SXM 80GB, H100 SXM", concurrency=8, input=3840, output=256)

print(answer.verdict)
for index in answer.pareto:
    option = answer.options[index]
    speed, rent = option.performance.stream_tokens_per_s, option.cost.rent_token
    price = "unknown" if rent is None else f"${rent.usd_per_million_output_alone:.2f}"
    layout = f"{option.name} {option.layout.degrees()} {option.layout.weights}"
    print(f"{layout:40} {speed.likely:6.1f} tok/s a user ({speed.low:.0f}-{speed.high:.0f}), {price} per million output tokens")

for refusal in answer.refusals[:3]:
    print(f"{refusal.cards}x {refusal.accelerator} {refusal.weights}: {refusal.reason}")
