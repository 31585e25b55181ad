"""What field a question is of: by the words of each field in several languages, or by what it means, next to examples."""

from __future__ import annotations

from functools import lru_cache

from recipelang.ir.labels import DOMAINS, WORDS
from recipelang.runtime.looking.encoder import has_encoder
from recipelang.runtime.looking.likeness import likenesses
from recipelang.runtime.looking.phrases import keywords_found
from recipelang.runtime.looking.texts import ends_of

OTHER = "other"
_LOOKED_AT = 4_000
"""Characters of a text whose words count."""
_NEAR = 0.16
"""Likeness to the examples of a field below which a question is of no field."""
_WORD_COUNTS = 0.03
"""What each word of a field adds to the likeness of a text to its examples."""
_MOST_WORDS = 5


def domain(of: str, by: str = WORDS) -> str:
    scores = _scores(of, by)
    best = max(scores, key=scores.__getitem__)
    return best if scores[best] >= (_NEAR if has_encoder(by) else 1) else OTHER


def domain_found(of: str, by: str = WORDS) -> tuple[str, ...]:
    """The words of the field; where there are none, the example that is nearest."""
    field = domain(of, by)
    if field == OTHER:
        return ()
    said = tuple(word for word in keywords_found(_ALL_WORDS, ends_of(of, _LOOKED_AT)) if word in _words_of(field))
    if said or not has_encoder(by):
        return said
    examples = _EXAMPLES[field]
    likely = likenesses(examples, of, by)
    return (examples[likely.index(max(likely))],)


def _scores(of: str, by: str) -> dict[str, float]:
    said = set(keywords_found(_ALL_WORDS, ends_of(of, _LOOKED_AT)))
    counts = {field: float(len(said & _words_of(field))) for field in DOMAINS}
    if not has_encoder(by):
        return counts
    likely = dict(zip(_ALL_EXAMPLES, likenesses(_ALL_EXAMPLES, of, by), strict=True))
    scores = {}
    for field, examples in _EXAMPLES.items():
        nearest = sorted((likely[example] for example in examples), reverse=True)
        scores[field] = (2 * nearest[0] + nearest[1]) / 3 + _WORD_COUNTS * min(_MOST_WORDS, counts[field])
    return scores


_FIELDS: dict[str, str] = {
    "biology": "cell|cells|gene|genes|genetic|dna|rna|protein|proteins|enzyme|enzymes|species|evolution|organism|organisms|photosynthesis|mitochondria|chromosome|chromosomes|mutation|natural selection|ecosystem|bacteria|plant|plants|membrane|population genetics|taxonomy|meiosis|mitosis|allele|phenotype|zelle|zellen|gen|evolution|photosynthese|eiweiß|cellule|cellules|gène|photosynthèse|espèce|célula|células|gen|evolución|fotosíntesis|especie|细胞|基因|蛋白质|进化|光合作用|细菌|細胞|遺伝子|進化|タンパク質|клетка|ген|эволюция|белок",
    "business": "marketing|customer|customers|management|manager|brand|stakeholder|stakeholders|corporate|supply chain|invoice|accounting|revenue|profit margin|startup|sales|shareholder|shareholders|balance sheet|cash flow|depreciation|audit|human resources|business plan|business model|unternehmen|kunde|kunden|buchhaltung|umsatz|vertrieb|entreprise|clientèle|comptabilité|chiffre d'affaires|empresa|clientes|contabilidad|ventas|企业|公司|营销|客户|会计|品牌|企業|顧客|会計|売上|бизнес|компания|маркетинг|бухгалтерия",
    "chemistry": "molecule|molecules|molecular|reaction|reactions|acid|acids|ph|mole|moles|molar|molarity|ion|ions|electron configuration|oxidation|reduction|catalyst|titration|solution|solvent|compound|compounds|periodic table|covalent|enthalpy|equilibrium constant|isotope|polymer|organic chemistry|nmr|stoichiometry|molekül|säure|reaktion|chemisch|chemische|katalysator|molécule|réaction chimique|acide|molécula|reacción química|ácido|分子|化学|反应式|酸|催化剂|摩尔|化学反応|モル|молекула|реакция|кислота|химия",
    "computer_science": "algorithm|algorithms|python|java|javascript|typescript|rust|c++|sql|code|function|program|software|api|database|compiler|debug|bug|stack trace|exception|linux|kernel|thread|threads|process|server|docker|kubernetes|git|regex|recursion|data structure|binary tree|hash table|time complexity|cache|http|tcp|machine learning|neural network|turing machine|unit test|unit tests|pointer|operating system|programm|funktion|datenbank|algorithmus|quellcode|fehlermeldung|skript|programme informatique|base de données|algorithme|programa|algoritmo|base de datos|código|算法|代码|函数|程序|数据库|编译|线程|进程|アルゴリズム|コード|関数|データベース|バグ|プログラム|алгоритм|код|программа|программу|базы данных",
    "economics": "inflation|gdp|monetary policy|fiscal policy|supply and demand|demand curve|supply curve|elasticity|interest rate|interest rates|unemployment|central bank|exchange rate|monopoly|oligopoly|market failure|marginal cost|marginal utility|opportunity cost|price level|aggregate demand|trade deficit|tariff|tariffs|macroeconomics|microeconomics|money supply|regression|heteroscedasticity|bonds|stocks|invest|mortgage|loan|tax|taxes|konjunktur|zinsen|arbeitslosigkeit|volkswirtschaft|steuern|aktien|kredit|pib|chômage|taux d'intérêt|impôts|économies|inflación|desempleo|tipo de interés|impuestos|fondo indexado|通货膨胀|货币政策|失业|利率|股票|债券|インフレ|金利|失業|株式|住宅ローン|инфляция|безработица|процентная ставка|налог",
    "engineering": "voltage|circuit|circuits|transistor|resistor|capacitor|transformer|motor|amplifier|beam|torque|bearing|heat exchanger|turbine|pump|pipe|flow rate|steam|boiler|rankine|refrigerant|control system|transfer function|feedback loop|signal processing|antenna|concrete|load bearing|truss|tensile|yield strength|reynolds number|kva|rpm|horsepower|ohms|schaltung|spannung|getriebe|statik|beton|circuit électrique|tension électrique|moteur|circuito|voltaje|tubería|电路|电压|电机|变压器|混凝土|回路|電圧|モーター|схема|напряжение|двигатель",
    "health": "patient|patients|symptom|symptoms|diagnosis|disease|diseases|treatment|doctor|medication|medicine|dose|dosage|ibuprofen|paracetamol|antibiotic|antibiotics|blood pressure|diabetes|cancer|surgery|pregnancy|pregnant|vaccine|fever|headache|chest pain|nurse|nutrition|vitamin|clinical|therapy|infection|symptome|krankheit|arzt|medikament|dosierung|fieber|kopfschmerzen|symptômes|maladie|médecin|médicament|fièvre|mal à la tête|síntomas|enfermedad|médico|medicamento|fiebre|antibióticos|症状|疾病|医生|药物|药|剂量|孕妇|发烧|病気|医師|薬|胸が痛い|胸が痛くて|痛み|симптомы|болезнь|врач|лекарство|диабета",
    "history": "century|war|wars|empire|treaty|revolution|colonial|colonies|medieval|ancient|dynasty|king|queen|emperor|president|slavery|world war|cold war|renaissance|roman|ottoman|napoleon|civilization|reform movement|suffrage|jahrhundert|krieg|reich|kaiser|mittelalter|siècle|guerre|révolution|empereur|moyen âge|siglo|guerra|imperio|edad media|世纪|战争|王朝|革命|皇帝|世紀|戦争|幕府|革命|война|империя|революция|век",
    "law": "court|contract|contracts|plaintiff|defendant|statute|liability|lawsuit|sue|sued|attorney|lawyer|landlord|tenant|evict|copyright|patent|negligence|tort|felony|criminal law|constitution|constitutional|jurisdiction|gdpr|clause|legal|legally|testimony|jury|prosecution|convicted|easement|deed|employment law|gericht|vertrag|klage|haftung|vermieter|mieter|kündigung|rechtlich|urheberrecht|tribunal|contrat|licencier|préavis|avocat|juridique|responsabilité|juzgado|contrato|abogado|despido|despiden|derechos|法院|合同|律师|诉讼|法律|法律效力|著作权|裁判|契約|弁護士|違法|解雇|суд|договор|адвокат|завещание",
    "maths": "prove|theorem|lemma|integral|derivative|equation|equations|polynomial|matrix|vector space|eigenvalue|probability|prime|primes|divisor|modulo|triangle|circle|angle|geometry|algebra|calculus|converges|irrational|square root|logarithm|sum of|remainder|integer|integers|group homomorphism|permutation|combinatorics|abelian|beweise|zeige dass|gleichung|ableitung|wurzel|primzahl|wahrscheinlichkeit|démontrer|démontre|équation|dérivée|intégrale|nombre premier|demuestra|ecuación|ecuaciones|derivada|integral|número primo|证明|方程|积分|导数|数列|质数|概率|三角形|証明|方程式|積分|微分|素数|確率|теорема|теорему|уравнение|производная|интеграл",
    "philosophy": "philosophy|philosopher|philosophical|ethics|ethical|moral|morality|kant|aristotle|plato|socrates|nietzsche|hume|utilitarianism|deontology|epistemology|metaphysics|existentialism|free will|fallacy|syllogism|virtue|premise|tautology|truth table|propositional logic|predicate logic|buddhism|confucius|philosophie|ethik|moralisch|willensfreiheit|éthique|morale|libre arbitre|filosofía|ética|libre albedrío|哲学|伦理|道德|自由意志|哲学者|倫理|философия|этика|свобода воли",
    "physics": "velocity|acceleration|force|momentum|gravity|gravitational|quantum|photon|photons|wavelength|frequency|electron|proton|neutron|electric field|magnetic field|charge|thermodynamics|entropy|relativity|kinetic energy|potential energy|newton|joule|lens|mirror|refraction|pendulum|collision|orbit|black hole|nuclear|radiation|friction|speed of light|geschwindigkeit|beschleunigung|schwerkraft|quantenmechanik|wellenlänge|vitesse|accélération|gravité|quantique|velocidad|aceleración|gravedad|cuántica|速度|加速度|引力|量子|光子|电场|磁场|重力|電場|скорость|ускорение|гравитация|квантовая",
    "psychology": "psychology|psychologist|psychological|cognitive|behavior|behaviour|behaviorism|conditioning|freud|piaget|personality|motivation|memory|perception|anxiety|depression|attachment|counselor|counseling|client|stereotype|self-esteem|intelligence test|developmental|adolescent|adolescents|emotion|emotions|psychologie|verhalten|persönlichkeit|comportement|personnalité|psicología|comportamiento|personalidad|心理|行为|人格|认知|心理学|行動|психология|поведение|личность",
}
_EXAMPLES: dict[str, tuple[str, ...]] = {
    "biology": (
        "How do cells copy their DNA before they divide?",
        "Why did this species evolve longer beaks?",
        "What does an enzyme do in photosynthesis?",
        "Which allele is dominant in this genetic cross?",
        "How do plants transport water from the roots to the leaves?",
        "Describe the food web of an ecosystem.",
    ),
    "business": (
        "Write a marketing plan for a small company.",
        "How should a manager deal with stakeholders and corporate ethics?",
        "Prepare the journal entries for depreciation and accounts receivable.",
        "How do we win and keep customers for our product?",
        "Compute the discount, the markup and the net price of the invoice.",
        "What is a good supply chain strategy?",
    ),
    "chemistry": (
        "Balance this chemical reaction.",
        "What is the pH of a solution of this acid?",
        "How many moles of gas are in the flask?",
        "Which compound has the highest boiling point?",
        "Explain the NMR spectrum of this organic molecule.",
        "What is the oxidation state of the metal ion?",
    ),
    "computer_science": (
        "Write a Python function that sorts a list.",
        "Why does my program crash with a null pointer exception?",
        "Refactor this class and add unit tests.",
        "Write an SQL query that joins two tables.",
        "What is the difference between a process and a thread?",
        "What is the time complexity of this algorithm?",
        "Configure a server with Docker and nginx.",
        "How does a neural network learn from training data?",
    ),
    "economics": (
        "How does the central bank fight inflation?",
        "What happens to the equilibrium price when demand rises?",
        "Explain opportunity cost and marginal utility.",
        "Should I invest my savings in bonds or in shares?",
        "How are capital gains and dividends taxed?",
        "What is the effect of a tariff on trade and unemployment?",
        "Explain compound interest on a mortgage.",
    ),
    "engineering": (
        "Compute the current through the resistor in this circuit.",
        "What is the efficiency of a steam turbine?",
        "Design a beam that carries this load.",
        "Find the transfer function of the control system.",
        "How large must the pump and the pipe be for this flow rate?",
        "What gear ratio does the motor need?",
    ),
    "health": (
        "What is the right dose of this medicine for a child?",
        "I have had chest pain since yesterday.",
        "Which disease has these symptoms?",
        "Is this drug safe during pregnancy?",
        "How should the nurse treat the patient?",
        "My baby has a fever, what should I do?",
        "Which vitamins and nutrients does a healthy diet need?",
    ),
    "history": (
        "What were the causes of the First World War?",
        "How did the Roman Empire fall?",
        "According to this text of the nineteenth century, what did the author think of colonial rule?",
        "Who ruled China during the Ming dynasty?",
        "What did the French Revolution change?",
        "How did people live in the Middle Ages?",
    ),
    "law": (
        "Is this clause of the contract enforceable?",
        "Can my landlord evict me without notice?",
        "The plaintiff sued the defendant for negligence. Will the court rule in his favour?",
        "What does the GDPR say about consent?",
        "Who owns the copyright of this work?",
        "Can my employer dismiss me without notice?",
        "Is the testimony admissible at trial?",
    ),
    "maths": (
        "Prove that the sum of two even numbers is even.",
        "Solve the quadratic equation for x.",
        "Compute the integral of this function.",
        "What is the probability of drawing two red balls?",
        "Find the area of the triangle.",
        "Does this sequence converge?",
        "How many integers satisfy this condition?",
        "What is the order of this group?",
    ),
    "philosophy": (
        "Do we have free will?",
        "What does Kant say about moral duty?",
        "Which logical fallacy is in this argument?",
        "Translate this sentence into predicate logic.",
        "Is utilitarianism a good theory of ethics?",
        "What did Plato and Aristotle think about virtue?",
    ),
    "physics": (
        "With what velocity does the ball hit the ground?",
        "Explain quantum entanglement.",
        "What is the electric field of a point charge?",
        "How far does the lens focus the light, and at which wavelength?",
        "Compute the kinetic energy and momentum after the collision.",
        "What happens to time near a black hole?",
    ),
    "psychology": (
        "How does classical conditioning shape behavior?",
        "Why do people conform to a group?",
        "What does Piaget say about the development of children?",
        "How can a counselor help a client with anxiety?",
        "Which personality theory explains motivation?",
        "How does memory work and why do we forget?",
    ),
    OTHER: (
        "Hello, how are you?",
        "Tell me a joke.",
        "Thanks, that was nice.",
        "Write a poem about autumn.",
        "Translate this sentence into French.",
        "Plan a trip to Italy.",
        "Give me a recipe for dinner.",
        "Summarize this text.",
        "Which film should we watch tonight?",
        "Write an e-mail to a friend.",
        "Who won the football match?",
    ),
}
assert set(_EXAMPLES) == set(DOMAINS)
_ALL_EXAMPLES = tuple(example for examples in _EXAMPLES.values() for example in examples)
_ALL_WORDS = tuple(dict.fromkeys(word for words in _FIELDS.values() for word in words.split("|")))


@lru_cache(maxsize=len(_FIELDS))
def _words_of(field: str) -> frozenset[str]:
    return frozenset(_FIELDS.get(field, "").split("|"))
