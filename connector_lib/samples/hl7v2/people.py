"""Names, streets and towns of invented people, by character set, as data.

They are words such as "sample", "test" and "example" of many languages, so that nobody takes them for real
people. A pool holds only what its character set can write.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["ASCII", "CHARSETS", "Charset", "NamePool"]


@dataclass(frozen=True, slots=True)
class NamePool:
    """Words of one language or script. ``latin`` are (family, given) in Latin letters for names that are
    also sent so."""

    family: tuple[str, ...]
    given: tuple[str, ...]
    street: tuple[str, ...]
    city: tuple[str, ...]
    comment: str
    latin: tuple[tuple[str, str], ...] = ()


ASCII: Final = NamePool(
    (
        "SAMPLE",
        "TESTPERSON",
        "O'SAMPLE",
        "DEMO-EXAMPLE",
        "Mockford",
        "Testerson",
        "van Example",
        "NOBODY",
        " Padded",
    ),
    ("ALICE", "BOB", "Carol", "D'Test", "Erin", "FRANK", "Mary-Sample", "Tess", "Demo "),
    ("1 Sample Street", "22 Example Ave Apt 5", "333 Test Road", "4 O'Demo Lane", "Nowhere Sq. 55"),
    ("SAMPLETON", "TESTBURG", "Demoville", "EXAMPLE CITY"),
    "All of this is made up.",
)
_WESTERN: Final = NamePool(
    (
        "Müstermann",
        "Beispiëlle",
        "Éxemple",
        "Prøvesen",
        "Ejemplño",
        "D'Échantillon",
        "Exempelström",
        "Straßentest",
    ),
    ("Zoë", "Jürgen", "François", "Søren", "Núria", "Åse", "Ingibjörg", "João"),
    ("Musterstraße 12", "3 rue de l'Échantillon", "Prøvegade 7", "Calle del Ejemplo nº 9"),
    ("Beispielstädt", "Échantillon-sur-Rien", "Prøvenæs", "Ningún Lugar"),
    "Größe überprüft, tout à fait inventé.",
)
_CENTRAL: Final = NamePool(
    ("Przykładowski", "Próbna", "Vzorová", "Příklad", "Példás", "Tesztő", "Primjerić"),
    ("Łucja", "Šárka", "Győző", "Đuro", "Žofie", "Zbyšek"),
    ("ul. Próbna 3/5", "Vzorová ulice 12", "Példa körút 9."),
    ("Przykładowo", "Vzorkov", "Példafalva"),
    "Wszystko zmyślone, vše vymyšleno.",
)
_MALTESE: Final = NamePool(
    ("Eżempju", "Kampjun", "Ekzempleĝo", "Provĉo"),
    ("Ġorġ", "Ċensa", "Ħal", "Ŝtela"),
    ("Triq il-Prova 4", "Strato de Ekzemplo 7 ĉe nenio"),
    ("Ħal-Eżempju", "Nenieĉo"),
    "Kollox ivvintat għal prova.",
)
_BALTIC: Final = NamePool(
    ("Pavyzdžiūtė", "Paraugs", "Bandomasis", "Näidis"),
    ("Žydrė", "Jānis", "Ģirts", "Õie"),
    ("Pavyzdžių g. 8", "Parauga iela 3", "Näidise tn 1"),
    ("Niekurgalė", "Paraugciems"),
    "Viskas išgalvota.",
)
_CYRILLIC: Final = NamePool(
    ("Образцов", "Тестова", "Примеров", "Никтоев"),
    ("Пример", "Ёлка", "Тест", "Зоя"),
    ("ул. Тестовая, д. 5", "Примерный пер. 7"),
    ("Образцовск", "Нигдеград"),
    "Всё выдумано.",
)
_ARABIC: Final = NamePool(
    ("مثال", "تجربة", "نموذج"), ("عينة", "اختبار"), ("شارع التجربة 5",), ("مدينة المثال",), "كل هذا مختلق"
)
_GREEK: Final = NamePool(
    ("Παραδείγματος", "Δοκιμή", "Δείγμα"),
    ("Έλλη", "Δοκίμιος", "Ζωή"),
    ("Οδός Δοκιμής 5", "Πλατεία Δείγματος 1"),
    ("Πουθενά", "Δειγματόπολη"),
    "Όλα είναι επινοημένα.",
)
_HEBREW: Final = NamePool(
    ("דוגמה", "מבחן", "ניסיון"), ("פלוני", "אלמונית"), ("רחוב הדוגמה 5",), ("עיר הדוגמה",), "הכול בדוי"
)
_TURKISH: Final = NamePool(
    ("Örnekoğlu", "Denemeci", "Şablon", "Taslakçı"),
    ("Işık", "Gülşen", "Çağrı", "İpek"),
    ("Örnek Sokağı 5", "Deneme Çıkmazı 12"),
    ("Örnekköy", "Hiçbiryer Şehri"),
    "Hepsi uydurulmuştur.",
)
_EURO: Final = NamePool(
    ("Échantillœuvre", "Cœurtest", "Šimonex", "Žexemple"),
    ("Lœtitia", "Ÿves", "Zoë", "Œdile"),
    ("5 rue du Cœur", "Musterstraße 9 (12 €)"),
    ("Nœud-sur-Rien", "Beispielstädt"),
    "Supplément de 12 € refusé.",
)
_JAPANESE: Final = NamePool(
    ("見本", "試験", "例題", "架空"),
    ("太郎", "花子", "一例", "次郎"),
    ("見本町1丁目2番", "架空通り5"),
    ("見本市", "試験村"),
    "すべて架空のデータです。",
    (("MIHON", "TARO"), ("SHIKEN", "HANAKO"), ("KAKU", "JIRO")),
)
_CHINESE: Final = NamePool(
    ("样本", "测试", "示例"),
    ("某某", "小样", "无名"),
    ("示例路5号", "测试街12号"),
    ("样本市", "测试镇"),
    "所有数据均为虚构。",
    (("YANGBEN", "MOUMOU"), ("CESHI", "XIAOYANG")),
)
_KOREAN: Final = NamePool(
    ("견본", "시험", "예시"),
    ("아무개", "길동", "무명"),
    ("견본로 5", "시험길 12"),
    ("견본시", "시험읍"),
    "모두 지어낸 내용입니다.",
    (("GYEONBON", "AMUGAE"), ("SIHEOM", "GILDONG")),
)
_EVERY: Final = (
    _WESTERN,
    _CENTRAL,
    _BALTIC,
    _CYRILLIC,
    _ARABIC,
    _GREEK,
    _HEBREW,
    _TURKISH,
    _EURO,
    _JAPANESE,
    _CHINESE,
    _KOREAN,
)


@dataclass(frozen=True, slots=True)
class Charset:
    """How a file's text becomes bytes.

    ``codec`` is Python's name, ``declared`` what MSH-18 says (HL7 table 0211; empty: nothing), ``mark`` the
    byte order mark the file starts with, ``scheme`` what MSH-20 says (HL7 table 0356), ``pools`` the names
    that it can write.
    """

    codec: str
    declared: str
    pools: tuple[NamePool, ...]
    mark: bytes = b""
    scheme: str = ""


CHARSETS: Final[dict[str, Charset]] = {
    "ascii": Charset("ascii", "ASCII", ()),
    "utf-8": Charset("utf-8", "UNICODE UTF-8", _EVERY),
    "utf-8-undeclared": Charset("utf-8", "", _EVERY),
    "utf-8-bom": Charset("utf-8", "UNICODE UTF-8", _EVERY, b"\xef\xbb\xbf"),
    "8859-1": Charset("iso8859-1", "8859/1", (_WESTERN,)),
    "8859-2": Charset("iso8859-2", "8859/2", (_CENTRAL,)),
    "8859-3": Charset("iso8859-3", "8859/3", (_MALTESE,)),
    "8859-4": Charset("iso8859-4", "8859/4", (_BALTIC,)),
    "8859-5": Charset("iso8859-5", "8859/5", (_CYRILLIC,)),
    "8859-6": Charset("iso8859-6", "8859/6", (_ARABIC,)),
    "8859-7": Charset("iso8859-7", "8859/7", (_GREEK,)),
    "8859-8": Charset("iso8859-8", "8859/8", (_HEBREW,)),
    "8859-9": Charset("iso8859-9", "8859/9", (_TURKISH,)),
    "8859-15": Charset("iso8859-15", "8859/15", (_EURO,)),
    "iso-ir87": Charset("iso2022_jp", "~ISO IR87", (_JAPANESE,), scheme="ISO 2022-1994"),
    "gb18030": Charset("gb18030", "GB 18030-2000", (_CHINESE,)),
    "ks-x-1001": Charset("euc_kr", "KS X 1001", (_KOREAN,)),
    "utf-16-le": Charset("utf-16-le", "UNICODE UTF-16", _EVERY, b"\xff\xfe"),
    "utf-16-be": Charset("utf-16-be", "UNICODE UTF-16", _EVERY, b"\xfe\xff"),
}
"""Name, as files and options use it → character set."""
