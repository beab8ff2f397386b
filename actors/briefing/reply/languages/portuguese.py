"""Portuguese."""

from __future__ import annotations

from typing import Final

from .language import Language

PORTUGUESE: Final = Language(
    code="pt",
    them="ele|ela|o cliente|a cliente|a ligação|a chamada|o senhor|a senhora|a pessoa|ele para mim|ela para mim|ele pra mim|ela pra mim|o|a",
    yes="""
    sim (sim|claro|senhor|senhora|pode|pode passar|com certeza|por favor|estou|posso|); claro (que sim|); com certeza; certo (pode passar|); certamente; óbvio; lógico; pode; pode ser; pode sim; posso (sim|atender|falar|agora|); tá (bom|certo|ok) (pode passar|); está (bem|bom|certo|ok); tudo bem (pode passar|); beleza; fechado; combinado; isso; isso mesmo; positivo; afirmativo; perfeito (pode passar|); ótimo (pode passar|); sem (problema|problemas|dúvida); não tem problema; não há problema; nenhum problema; por que não; de acordo; concordo; aceito (a ligação|a chamada|sim|); vamos (lá|nessa|em frente|); bora; manda (ver|bala|aí|); (estou|tô|já estou|eu estou|estamos|já tô) (pronto|pronta|prontos|disponível|aqui|preparado|preparada|livre|à disposição|a postos) (para (atender|falar|receber|a ligação|a chamada|atender a ligação)|pra (atender|falar|isso)|sim|agora|já|); pronto pode passar; pronta pode passar;
    (pode|podes|podem|pode já|já pode|agora pode) (passar|transferir|conectar|ligar|mandar|encaminhar|colocar|direcionar|prosseguir|continuar|completar|pôr|seguir) ({them}|{them} na linha|para mim|pra mim|a ligação|a chamada) (agora|já|sim|); (pode|podes|podem|pode já|já pode) (passar|transferir|conectar|mandar|encaminhar|colocar|seguir|prosseguir|ligar|vir|entrar) (agora|já|sim|); (passa|passe|passem|transfere|transfira|conecta|conecte|coloca|coloque|manda|mande|encaminha|encaminhe|põe|ponha|liga|ligue|traz|traga) ({them}|{them} na linha|para mim|pra mim|para cá|pra cá|aí|me|) (agora|já|); (me|) (passa|passe|transfere|transfira|conecta|conecte|coloca|coloque|manda|mande) ({them}|) (agora|já|); passe-mo; passe ma; passe mo; me (passa|passe) a (ligação|chamada); põe na linha; pode pôr na linha; pode mandar;
    (eu|) (atendo|aceito|assumo|pego|recebo|falo com) ({them}|a ligação|a chamada|sim|agora|); (deixa|deixe) comigo; eu (resolvo|cuido); vou atender; vou (falar com|atender) (ele|ela|o cliente|a cliente|a ligação); tenho tempo; quando (quiser|quiseres|puder); com (todo|muito) (o|) (prazer|gosto); com prazer; é claro; faz favor; faça favor; força; siga; avance; avança; em frente; ora bem pode passar; estou à escuta pode passar; à vontade; tô dentro; tranquilo pode passar;
    pois não; estou livre; tô livre; (me|) passa (pra|para) cá
    """,
    connect="""
    (pode|podes) (passar|pôr|colocar|conectar|ligar|transferir) ({them}|{them} na linha|na linha|para mim|pra mim|a ligação|a chamada) (na linha|para mim|pra mim|); pode passar; (me|)
    (passa|passe) (ele|ela|o cliente|a cliente|a ligação|a chamada) (pra mim|para mim|); (me|) (passa|passe) (pra mim|para mim); passe me (a|o) (chamada|ligação|cliente|senhora|senhor)
    (*|); passa me (a|o) (chamada|ligação|cliente|senhora|senhor) (*|); passe-mo; passe mo; passe ma; passa mo; passa ma; (põe|ponha|coloca|coloque|liga|ligue|conecta|conecte)
    ({them}|) (na linha|comigo|para mim|pra mim); (ligue|conecte|ponha|liga|conecta) (nos|me) (a ele|a ela|com ele|com ela|); (eu|) atendo (ele|ela|o cliente|a cliente|a ligação|a
    chamada|sim|); eu atendo; (eu|) falo com (ele|ela|o cliente|a cliente|a senhora|o senhor)
    """,
    despite="""
    (não ,|) (não ,|) (imagina|que isso|magina); (não ,|) não (me|) (incomoda|incomoda nada|atrapalha|tem problema|há problema|faz mal); de modo (nenhum|algum); não (tenho
    como|posso|dá pra|consigo|dá para) (dizer não|recusar) (pra|para|a) (ele|ela|*|a *|o *); (eu|) ia (dizer que não|recusar|dizer não) , mas; não (quero|queria) (muito|) , mas; já que
    (é preciso|tem que ser); se tem que ser; não estou (ocupado|ocupada|em reunião|fazendo nada); não tô (ocupado|ocupada); não digo que não; não precisa (repetir|explicar) (nada|de
    novo|tudo|)
    """,
    pause="""
    peraí; pera; espera (aí|um pouco|um momento|); espere (um momento|); (um|só um) (momento|segundo|minuto|instante|minutinho|segundinho|momentinho); (só|deixa eu|deixe-me|deixa
    me|vou só) (fechar|pegar|abrir|buscar) (a|o|meu|minha) *; eh
    """,
    resumed="""
    pronto; certo; tá; agora sim; sim; feito; já está; tá bom; está bem; pronta; voltei; cheguei; ótimo; beleza
    """,
    request="(pode|você pode|podia|poderia|podes|consegue) (me|) (passar|transferir|conectar|colocar) ({them}|para mim|a ligação|a chamada|{them} na linha) (por favor|agora|); (me|) passa (ele|ela|a ligação|a chamada)",
    before="""
    olá; oi; alô; estou; bom dia; boa tarde; boa noite; ah; é; eh; hum; bom; bem; então; aí; e; ok então; ótimo; perfeito; excelente; maravilha; legal; entendi; entendido; percebi; compreendo; já entendi; certo; obrigado pela (informação|espera|explicação); obrigada pela (informação|espera|explicação); obrigado pelo (resumo|aviso); obrigada pelo (resumo|aviso); (aqui é|aqui fala|é|sou|fala) (o|a|) (*|supervisor|supervisora|gerente|responsável); aqui é *; sou eu; estou com (o sistema|o caso|a conta|o cadastro|tudo|o processo|o pedido) (aberto|aberta|aqui|na tela|); (já|) tenho (o sistema|o caso|a conta|o cadastro|tudo|o processo|o pedido|a ficha) (aberto|aberta|aqui|na tela|à frente|); conheço (o cliente|a cliente|o caso); não se preocupe; acho que; eu ajudo; estou no sistema
    """,
    after="por favor; faz favor; se faz favor; obrigado; obrigada; muito obrigado; muito obrigada; valeu; agora; agora mesmo; já; logo; imediatamente; rápido; rapidinho; mas rápido; sim; claro; então; pra mim; para mim; comigo; aqui; também; senhor; senhora; tenho (cinco|dez|dois|uns) minutos; estou (pronto|pronta|aqui|disponível); sem problema; tá; viu; tá bom; na linha",
    never="não; nunca; nada; ninguém; fora; ocupado; ocupada; doente; mal; quase; cliente; sem; nem; longe; impossível; um; uma",
    no=r"(?:(?:ah|eh|olha|desculpe|desculpa|infelizmente|hum|bom) )*(?:não|nunca|negativo|jamais|de jeito nenhum|nem pensar|agora não|melhor não|hoje não|claro que não|ainda não)(?: (?:não|obrigad[oa]|senhor|senhora|por favor|muito obrigad[oa]|desculpe|agora|dá))*",
    refusal=r"""
    não(?: \|)? (?:obrigad[oa]|posso|poderei|quero|vou|dá|consigo|estou (?:disponível|pronto|pronta|livre)|tenho (?:tempo|como)|é (?:possível|um bom momento|boa hora|comigo)|me (?:passe|passa|transfira|interessa)|passe|passa|transfira|transfere|conecte|aceito|agora|hoje|neste momento|tô)(?: \S+)?; (?:agora|hoje|neste momento|no momento) não(?: \S+)?; (?:estou |tô |muito |ando )?ocupad[oa]; (?:estou |tô )?(?:em|numa|no meio de uma|noutra|em outra) (?:reunião|outra ligação|ligação|chamada|outra chamada); (?:estou |tô )?(?:dirigindo|conduzindo|a conduzir|almoçando|de férias|de folga); (?:me )?ligu?e\w*(?: \S+)? (?:mais tarde|amanhã|depois)(?: \S+)?; (?:liga|retorna|retorne)(?: \S+)? (?:mais tarde|amanhã|depois)(?: \S+)?; mais tarde; outra hora; outro dia; número errado; foi engano; recuso(?: \S+)?; impossível; chame outro(?: \S+)?; procure outr[oa](?: \S+)?
    """,
    no_refusal="não (?:tem|há|faz|tem nenhum) (?:problema|mal)(?: \\S+)?; por que não; não se preocupe; sem problema; não me importo",
    wait=r"(?:um|só um|mais um|uns|só mais um|me dá um|me dê um|dê me um) (?:momento|momentinho|minuto|minutinho|segundo|segundinho|instante|instantinho|pouco|pouquinho|bocado|minutos|segundos|seg)(?: \S+)?; (?:dois|três|cinco|dez|\d+) (?:minutos|segundos)(?: \S+)?; momento; momentinho; (?:espera|espere|esperem|aguarda|aguarde|aguardem|aguenta|peraí|pera|calma|segura|segure)(?: \S+)*; ainda não(?: \S+)*; (?:deixa|deixe) eu(?: \S+)*; deixe me(?: \S+)*; quase (?:pronto|pronta|lá|terminando)(?: \S+)?; já já(?: \S+)?; já volto(?: \S+)?; não desligue(?: \S+)*; antes(?: de)?(?: \S+)*; primeiro(?: \S+)*; daqui a (?:pouco|\S+ minutos)(?: \S+)?; estou terminando(?: \S+)*",
    elsewhere=r"(?:para|pra|ao|à|pro|com|no|na|a|o) (?:(?:o|a|os|as|meu|minha|outro|outra|um|uma) )?(?:caixa postal|correio de voz|faturamento|faturação|cobrança|vendas|suporte|recepção|receção|financeiro|contabilidade|secretária|colega|departamento|setor|atendente|fila|alguém|telemóvel|celular|gerente|chefe|espera|outra pessoa)(?: \S+)?; deix[ae] (?:ele|ela|o|a)? ?(?:ir|embora|pra lá)(?: \S+)?; deslig(?:a|ue|ar)(?: \S+)?; (?:diz|diga|fala|fale)(?: \S+)? (?:que|pra|para)(?: \S+)*; se (?:for|não|ele|ela|você|der|quiser|puder|tiver)(?: \S+)*; talvez; quem sabe; depende; amanhã; depois; tchau; adeus; até logo; não sei; não tenho certeza; não precisa; deixa pra lá; tanto faz; em espera; pode deixar",
    question=r"(?:(?:e|sim|ok|mas|bom|olá|então|tá) (?:\| )?){0,2}(?:quem|o que|que|qual|quais|quando|onde|como|quanto|quantos|por que(?! não)|de que|sobre o que|do que|cadê)(?: \S+)+; como; o quê; desculpe; (?:repete|repita|pode repetir|de novo|outra vez)(?: \S+)*; é (?:o|a|um|uma|sobre)(?: \S+)+",
    machine=r"(?:após|depois|a seguir) (?:do|o|ao|de|da) ?(?:sinal|bip|bipe|tom|apito|beep)(?: \S+)*; (?:deix\w+|grav\w+)(?: \S+){0,3} (?:mensagem|recado)(?: \S+)*; (?:encaminhad[oa]|direcionad[oa]|ligou|aqui é|está n[ao]|transferid[oa])(?: \S+){0,3} (?:caixa postal|correio de voz|caixa de mensagens|caixa de correio|atendedor|secretária eletrônica); (?<!a )(?<!para )(?<!ao )(?<!o )(?<!na )(?<!no )(?<!pra )(?<!minha )(?<!meu )(?:caixa postal|correio de voz|secretária eletrônica) d[eoa](?: \S+)*; (?:o )?(?:número|cliente|assinante|telefone|celular|telemóvel) (?:que|chamado|discado|para o qual|marcado|não está|está desligado|está indisponível|encontra)(?: \S+)*; (?:fora da área|desligado ou fora)(?: \S+)*; sua chamada (?:está sendo|será) encaminhada(?: \S+)*",
    maybe_machine=r"bem vind\w+; obrigad\w por (?:ligar|sua ligação|sua chamada); mensagem; recado; não (?:posso|podemos|pode|está|estou|estamos|consigo) (?:atender|disponível|atendê\w*|em casa|no escritório|responder)(?: \S+)*; (?:retorn\w+|ligarei|ligaremos|entrarei em contato|entraremos)(?: \S+)*; assim que (?:possível|puder|eu)(?: \S+)*; horário(?: \S+)*; você ligou para(?: \S+)*; ligou para(?: \S+)*; sua (?:ligação|chamada) é (?:muito )?importante(?: \S+)*",
    reached=r"(?:você ligou para|aqui é|esta é) (?:a |o )?(?:caixa postal|secretária eletrônica|correio de voz)",
    offer=r"(?:quer|queres|deseja|gostaria|prefere)(?: \S+)*; (?:posso|devo) (?:\S+ ){0,2}(?:anotar|deixar|passar|dar|tomar)(?: \S+)*; (?:comigo)(?: \S+)*; (?:anoto|tomo|passo) (?:o|um|seu)(?: \S+)*",
    person=r"(?:em que|como|no que|o que) (?:posso|eu posso|lhe posso)(?: \S+)*; (?:quem|com quem) (?:fala|é|falo|está)(?: \S+)*; pois não; diga; pode falar; eu posso(?: \S+)*; estou (?:cobrindo|no lugar)(?: \S+)*",
    screening=r"(?:chamada|ligação|número|linha)(?: \S+){0,4} (?:filtrad|protegid)[ao]; (?:diga|informe|fale)(?: \S+){0,2} (?:quem é|seu nome); identifique se; assistente (?:virtual|de chamadas?); antes de (?:transferir|passar|conectar); não é um robô; (?:diga|informe|grave|fale) (?:o )?seu nome(?: \|)?(?: e)?(?: \|)?(?: \S+){0,3} (?:motivo|razão|por que|assunto)(?: \S+)*; (?:motivo|razão) d[ae] (?:sua |da )?(?:ligação|chamada|seu contato)(?: \S+)*; (?:filtr\w+|triagem)(?: \S+){0,3} (?:chamadas?|ligações)(?: \S+)*",
    hold=r"(?:aguarde|permaneça|mantenha se|não desligue|fique)(?: \S+){0,2} (?:na linha|em linha|em espera|por favor|um momento|que)(?: \S+)*; (?:todos|nossos)(?: \S+){0,3} (?:atendentes|agentes|operadores|assistentes|ramais|linhas)(?: \S+)*; tempo (?:estimado |médio )?de espera(?: \S+)*; (?:digite|tecle|pressione|disque|marque|prima) (?:o |a tecla |a opção )?(?:\d+|um|dois|três|quatro|cinco|zero|asterisco)(?: \S+)*; próximo (?:atendente|agente|operador)(?: \S+)*; sua (?:ligação|chamada) será (?:atendida|transferida)(?: \S+)*; em instantes(?: \S+)*",
)
